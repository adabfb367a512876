"""The renewal request: signed for one agent, co-op, certificate request and second; strict in both directions."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from protocols.enrolment.renewal import (
    MAX_REQUEST_BYTES,
    build_renewal,
    build_renewed,
    parse_renewal,
    parse_renewed,
)
from tests.protocols.wire.wire_samples import HUB_KEY, KEY

COOP, PUBLIC = "sunny-street", KEY.public_key().public_bytes_raw()
REQUEST = build_renewal(KEY, agent="a-1", coop=COOP, csr=b"csr", at=1_800_000_000)


def test_a_request_reads_back_and_shows_who_made_it() -> None:
    found = parse_renewal(REQUEST)
    assert (found.agent, found.csr, found.at) == ("a-1", b"csr", 1_800_000_000)
    assert found.is_signed_by(PUBLIC, coop=COOP)
    for other in (
        replace(found, agent="a-2"),
        replace(found, csr=b"csR"),
        replace(found, at=found.at + 1),
        replace(found, signature=bytes(64)),
    ):
        assert not other.is_signed_by(PUBLIC, coop=COOP)
    assert not found.is_signed_by(PUBLIC, coop="other")
    assert not found.is_signed_by(HUB_KEY.public_key().public_bytes_raw(), coop=COOP)


def test_the_names_cannot_be_moved_into_each_other() -> None:
    found = parse_renewal(build_renewal(KEY, agent="b-1", coop="a", csr=b"", at=0))
    assert not replace(found, agent="1").is_signed_by(PUBLIC, coop="ab-")


def test_the_signature_has_a_label_of_its_own() -> None:
    found = parse_renewal(REQUEST)
    signed = found.at.to_bytes(8) + b"csr"
    for label in (b"commonwatt/3 enrol proof\x00", b"commonwatt/1\x00", b""):
        assert not replace(found, signature=KEY.sign(label + signed)).is_signed_by(PUBLIC, coop=COOP)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"version": 2}, "version: 2, expected 3"),
        ({"agent": "A"}, "agent: expected"),
        ({"csr": base64.urlsafe_b64encode(bytes(1025)).decode().rstrip("=")}, "csr: expected"),
        ({"at": -1}, "at: expected"),
        ({"at": 2**41}, "at: expected"),
        ({"at": 1.5}, "at: expected"),
        ({"signature": "AA"}, "signature: expected"),
        ({"more": 1}, "renewal request: expected an object"),
    ],
)
def test_a_malformed_request_gets_one_line(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named) as caught:
        parse_renewal(json.dumps(json.loads(REQUEST) | changes))
    assert "\n" not in str(caught.value)


def test_sizes_are_looked_at_first() -> None:
    assert parse_renewal(REQUEST.ljust(MAX_REQUEST_BYTES)).agent == "a-1"
    with pytest.raises(ValueError, match="larger than"):
        parse_renewal(REQUEST.ljust(MAX_REQUEST_BYTES + 1))


def test_an_answer_reads_back() -> None:
    assert parse_renewed(build_renewed("pem\n")) == "pem\n"
    for text in ("", "{}", '{"version": 3}', '{"version": 2, "certificate": ""}', '{"version": 3, "certificate": 5}'):
        with pytest.raises(ValueError):
            parse_renewed(text)
