"""Receipts: what is held, what is missing and what was refused never contradict each other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cbor2
import pytest

from protocols.wire import padding, receipts
from protocols.wire.receipts import Receipt
from protocols.wire.refusal_reasons import RefusalReason, WireError


def test_a_receipt_names_only_what_may_stand_in_it() -> None:
    good = Receipt("a1", 1, 5, bytes([1]) * 32, ((7, 8), (10, 10)), 0, ((3, RefusalReason.OUTSIDE_CONSENT),))
    assert receipts.decode_receipt(receipts.encode_receipt(good)) == good
    for wrong in (
        replace(good, head=bytes(32)),
        replace(good, through_seq=0),
        replace(good, gaps=((5, 6),)),
        replace(good, gaps=((8, 7),)),
        replace(good, gaps=((7, 8), (9, 9))),
        replace(good, refused=((6, RefusalReason.OUTSIDE_CONSENT),)),
        replace(good, refused=((3, RefusalReason.BAD_SIGNATURE),)),
        replace(good, refused=((3, RefusalReason.CLOCK_WINDOW), (3, RefusalReason.CLOCK_WINDOW))),
    ):
        with pytest.raises(WireError):
            receipts.encode_receipt(wrong)


GOOD = Receipt("a1", 1, 5, bytes([1]) * 32, ((7, 8), (10, 10)), 1_764_000_000, ((3, RefusalReason.EXPIRED),))


def fields_of(receipt: Receipt) -> dict[int, Any]:
    fields: dict[int, Any] = cbor2.loads(receipts.encode_receipt(receipt))
    del fields[padding.PAD_KEY]
    return fields


def test_the_fields_are_the_documented_ones() -> None:
    assert fields_of(GOOD) == {
        1: 1,
        2: "a1",
        3: 1,
        4: 5,
        5: bytes([1]) * 32,
        6: [[7, 8], [10, 10]],
        7: 1_764_000_000,
        8: [[3, 12]],
    }


@pytest.mark.parametrize(
    "edge",
    [
        Receipt("a1", 1, 0, bytes(32), (), 0, ()),
        Receipt("a1", 2**32 - 1, 2**32 - 1, bytes([1]) * 32, (), 2**40, ()),
        replace(GOOD, gaps=((6, 6), (8, 2**32 - 1))),
        replace(GOOD, gaps=tuple((6 + 2 * n, 6 + 2 * n) for n in range(64))),
        replace(GOOD, refused=((1, RefusalReason.CLOCK_WINDOW), (5, RefusalReason.OUTSIDE_CONSENT))),
        replace(GOOD, through_seq=64, gaps=(), refused=tuple((n, RefusalReason.EXPIRED) for n in range(1, 65))),
    ],
)
def test_the_limits_of_a_receipt_are_allowed(edge: Receipt) -> None:
    assert receipts.decode_receipt(receipts.encode_receipt(edge)) == edge


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (replace(GOOD, agent="A1"), "agent's name"),
        (replace(GOOD, epoch=0), "epoch is not a whole number from 1"),
        (replace(GOOD, epoch=2**32), "epoch"),
        (replace(GOOD, through_seq=2**32, gaps=()), "through"),
        (replace(GOOD, stored_at=2**40 + 1), "time stored"),
        (replace(GOOD, stored_at=-1), "time stored"),
        (replace(GOOD, head=bytes([1]) * 31), "the head is not 32 bytes"),
        (replace(GOOD, head=bytes(32)), "the head is 32 zero bytes if nothing is held, and only then"),
        (replace(GOOD, through_seq=0, refused=()), "the head is 32 zero bytes"),
        (replace(GOOD, gaps=tuple((6 + 2 * n, 6 + 2 * n) for n in range(65))), "more than 64 gaps"),
        (replace(GOOD, gaps=((6, 2**32),)), "gap"),
        (replace(GOOD, gaps=((7, 8), (9, 9))), "gap is not a whole number from 10"),
        (
            replace(GOOD, through_seq=70, gaps=(), refused=tuple((n, RefusalReason.EXPIRED) for n in range(1, 66))),
            "more than 64 refused numbers",
        ),
        (replace(GOOD, refused=((0, RefusalReason.EXPIRED),)), "refused number"),
        (replace(GOOD, refused=((6, RefusalReason.EXPIRED),)), "refused number"),
    ],
)
def test_what_is_wrong_in_a_receipt_is_named(wrong: Receipt, named: str) -> None:
    with pytest.raises(WireError) as caught:
        receipts.encode_receipt(wrong)
    assert caught.value.reason is RefusalReason.GARBAGE
    assert named in caught.value.detail


@pytest.mark.parametrize("reason", RefusalReason)
def test_only_refusals_of_content_are_listed(reason: RefusalReason) -> None:
    number = list(RefusalReason).index(reason)
    payload = padding.encode_padded(fields_of(GOOD) | {8: [[3, number]]})
    if reason.settles_the_number:
        assert receipts.decode_receipt(payload).refused == ((3, reason),)
    else:
        with pytest.raises(WireError, match="a receipt lists only refusals of content"):
            receipts.decode_receipt(payload)


@pytest.mark.parametrize("change", [{1: 2}, {8: [[3, 13]]}, {8: [[3, -1]]}, {8: [[3]]}, {6: [[7]]}, {6: 5}])
def test_other_forms_are_garbage(change: dict[int, Any]) -> None:
    with pytest.raises(WireError) as caught:
        receipts.decode_receipt(padding.encode_padded(fields_of(GOOD) | change))
    assert caught.value.reason is RefusalReason.GARBAGE
