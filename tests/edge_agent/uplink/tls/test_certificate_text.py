"""What people read about the agent's certificate: its end, or why nothing is sent."""

from __future__ import annotations

import pytest

from edge_agent.uplink.tls.certificate_text import certificate_line, certificate_trouble
from protocols.enrolment.certificates import Validity

NOW_S = 1_800_000_000
DAY_S = 86400
VALIDITY = Validity(NOW_S, NOW_S + 30 * DAY_S)


def test_a_valid_one_has_its_end_and_its_renewal() -> None:
    assert certificate_trouble(VALIDITY, now_s=NOW_S) is None
    assert certificate_line(VALIDITY, now_s=NOW_S) == (
        "certificate valid until 2027-02-14, renewed from 2027-02-04 on by itself"
    )


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
    line = certificate_line(validity, now_s=now_s)
    assert line.startswith("NOT SENDING: ")
    assert words in line
    assert line.endswith("measuring goes on")
    assert "\n" not in line
