"""What people read about the agent's certificate: its end, or why nothing is sent."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge_agent.uplink.tls.certificate_text import certificate_trouble, connection_lines
from protocols.enrolment.certificates import Validity
from tests.coop_authority import TestAuthority
from tests.protocols.enrolment.test_answer import ANSWER

ROOT = TestAuthority().root_pem.decode()
SECURE = replace(ANSWER, broker_host="hub.example", broker_tls=True, enrol_port=8443, root=ROOT, certificate="pem")
NOW_S = 1_800_000_000
DAY_S = 86400
VALIDITY = Validity(NOW_S, NOW_S + 30 * DAY_S)


def test_a_valid_one_has_its_end_and_its_renewal() -> None:
    assert certificate_trouble(VALIDITY, now_s=NOW_S) is None
    assert connection_lines(SECURE, VALIDITY, now_s=NOW_S) == [
        "certificate valid until 2027-02-14, renewed from 2027-02-04 on by itself"
    ]


def test_without_tls_only_a_broker_elsewhere_is_worth_a_line() -> None:
    assert connection_lines(ANSWER, None, now_s=NOW_S) == []
    (line,) = connection_lines(replace(ANSWER, broker_host="192.168.1.10"), None, now_s=NOW_S)
    assert line.startswith("NOT SENDING: the broker 192.168.1.10: it is reached without TLS")
    assert "ask the co-op for a new invitation" in line


@pytest.mark.parametrize(
    ("validity", "now_s", "words"),
    [
        (None, NOW_S, "no certificate that fits its key"),
        (VALIDITY, NOW_S - 365 * DAY_S, "is valid from 2027-01-15 on, and this computer's clock says 2026-01-15: set"),
        (VALIDITY, NOW_S - 1, "is valid from 2027-01-15 on"),
        (VALIDITY, NOW_S + 30 * DAY_S, "has expired on 2027-02-14, or this computer's clock is wrong (2027-02-14)"),
        (VALIDITY, NOW_S + 365 * DAY_S, "or this computer's clock is wrong (2028-01-15): nothing is sent until"),
    ],
)
def test_trouble_is_one_line_and_measuring_goes_on(validity: Validity | None, now_s: int, words: str) -> None:
    (line,) = connection_lines(SECURE, validity, now_s=now_s)
    assert line.startswith("NOT SENDING: ")
    assert words in line
    assert line.endswith("measuring goes on")
    assert "\n" not in line
