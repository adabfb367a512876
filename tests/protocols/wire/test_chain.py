"""Where a message stands in its agent's chain, whatever the network does to the order."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.wire.chain import FIRST_PREVIOUS, MAX_AHEAD, START, ChainPlacement, Header, Position, place_message
from protocols.wire.refusal_reasons import RefusalReason, WireError


def hash_of(epoch: int, seq: int) -> bytes:
    return sha256(f"{epoch}/{seq}".encode()).digest()


def header(epoch: int, seq: int) -> Header:
    return Header("a1", epoch, seq, FIRST_PREVIOUS if seq == 1 else hash_of(epoch, seq - 1))


def judge(
    position: Position, epoch: int, seq: int, *, held: dict[tuple[int, int], bytes] | None = None
) -> ChainPlacement:
    known = (held or {}).get((epoch, seq))
    return place_message(position, header(epoch, seq), own_hash=hash_of(epoch, seq), held_hash=known)


def refused(position: Position, epoch: int, seq: int) -> RefusalReason:
    with pytest.raises(WireError) as caught:
        judge(position, epoch, seq)
    return caught.value.reason


def test_the_places() -> None:
    position = Position(3, 10, hash_of(3, 10))
    assert judge(START, 3, 1) is ChainPlacement.NEXT
    assert judge(position, 3, 11) is ChainPlacement.NEXT
    assert judge(position, 3, 12) is ChainPlacement.AHEAD
    assert judge(position, 3, 10 + MAX_AHEAD) is ChainPlacement.AHEAD
    assert refused(position, 3, 11 + MAX_AHEAD) is RefusalReason.OUT_OF_ORDER
    assert judge(position, 3, 4, held={(3, 4): hash_of(3, 4)}) is ChainPlacement.HELD
    assert refused(position, 3, 4) is RefusalReason.OUT_OF_ORDER
    assert refused(position, 2, 99) is RefusalReason.OUT_OF_ORDER


def test_a_new_epoch_begins_with_its_first_message() -> None:
    position = Position(3, 10, hash_of(3, 10))
    assert judge(position, 4, 1) is ChainPlacement.NEXT
    assert judge(position, 4, 2) is ChainPlacement.AHEAD


def test_a_fork_is_told_from_a_repetition() -> None:
    position = Position(3, 10, hash_of(3, 10))
    with pytest.raises(WireError) as caught:
        judge(position, 3, 4, held={(3, 4): hash_of(9, 9)})
    assert caught.value.reason is RefusalReason.REPLAYED


def test_a_message_that_does_not_build_on_what_is_held() -> None:
    assert refused(Position(3, 10, hash_of(9, 9)), 3, 11) is RefusalReason.BROKEN_CHAIN


@given(order=st.permutations(range(1, 30)), again=st.lists(st.integers(1, 29), max_size=40))
def test_any_order_and_any_repetition_end_with_each_message_once(order: list[int], again: list[int]) -> None:
    """A hub that drops what is ahead and an agent that sends again until all is held: each is stored once, in order."""
    position, held, stored = START, {}, []
    rounds = [*order, *again] + list(range(1, 30)) * 2
    for seq in rounds:
        if judge(position, 5, seq, held=held) is ChainPlacement.NEXT:
            position = Position(5, seq, hash_of(5, seq))
            held[5, seq] = hash_of(5, seq)
            stored.append(seq)
    assert stored == list(range(1, 30))
