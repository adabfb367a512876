"""Broker notices, the question for one and its answer: each reads back as it was, and nothing else is read."""

import json

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.enrolment.broker_notices import (
    BrokerNotice,
    build_place,
    build_question,
    decode_broker,
    encode_broker,
    parse_place,
    parse_question,
)
from protocols.wire.padding import PAD_KEY, encode_padded
from protocols.wire.refusal_reasons import RefusalReason, WireError

AGENT = "a-1"
HOSTS = st.text("abcdefghijklmnopqrstuvwxyzABC0123456789.:-", min_size=1, max_size=253)


@settings(max_examples=50)
@given(at=st.integers(0, 2**40), host=HOSTS, port=st.integers(1, 65535))
def test_a_notice_reads_back_as_it_was(at: int, host: str, port: int) -> None:
    notice = BrokerNotice(AGENT, at, host, port)
    assert decode_broker(encode_broker(notice)) == notice


@pytest.mark.parametrize(("host", "port"), [("", 1), ("a b", 1), ("a/b", 1), ("a" * 254, 1), ("a", 0), ("a", 65536)])
def test_a_notice_with_a_strange_place_is_not_made(host: str, port: int) -> None:
    with pytest.raises(WireError):
        encode_broker(BrokerNotice(AGENT, 1, host, port))


@pytest.mark.parametrize(
    "changed", [{1: 2}, {2: "A B"}, {3: -1}, {3: 2**41}, {4: b"host"}, {4: "a\nb"}, {5: True}, {5: None}, {6: 0}]
)
def test_a_payload_of_another_form_is_garbage(changed: dict[int, object]) -> None:
    fields = {k: v for k, v in cbor2.loads(encode_broker(BrokerNotice(AGENT, 1, "h", 2))).items() if k != PAD_KEY}
    with pytest.raises(WireError) as caught:
        decode_broker(encode_padded({**fields, **changed}))
    assert caught.value.reason is RefusalReason.GARBAGE


@given(sealed=st.binary(max_size=2000), certificate=st.text("abc{}", max_size=200))
def test_question_and_answer_read_back(sealed: bytes, certificate: str) -> None:
    assert parse_question(build_question(AGENT).encode()) == AGENT
    assert parse_place(build_place(sealed, hub_certificate=certificate).encode()) == (sealed, certificate)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"x" * 300,
        b"\xff",
        *(json.dumps(each).encode() for each in ({}, {"version": 1}, {"version": 1, "agent": "A"})),
    ],
)
def test_another_question_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_question(text)


@pytest.mark.parametrize("changed", [{"version": 2}, {"sealed": "?"}, {"sealed": "AAAA" * 10_000}, {"more": 1}])
def test_another_answer_is_refused(changed: dict[str, object]) -> None:
    fields = json.loads(build_place(b"sealed", hub_certificate=""))
    with pytest.raises(ValueError, match=r"."):
        parse_place(json.dumps({**fields, **changed}).encode())
