"""A home's chain followed message by message: it runs as measured, or the place where it does not is named."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.wire.chain import FIRST_PREVIOUS, Header
from protocols.wire.envelope import batch_hash
from simulator.demo.order import ChainOrder

Message = tuple[Header, bytes, int | None]


def chain(slots: list[int | None], *, epoch: int = 3) -> Iterator[Message]:
    previous = FIRST_PREVIOUS
    for seq, slot in enumerate(slots, 1):
        sealed = f"{epoch} {seq} {slot}".encode()
        yield Header("a-one", epoch, seq, previous), sealed, slot
        previous = batch_hash(sealed)


def followed(messages: list[Message]) -> ChainOrder:
    order = ChainOrder()
    for header, sealed, slot in messages:
        order.add_message(header, sealed=sealed, slot=slot)
    return order


def test_a_chain_in_the_order_measured_has_no_findings() -> None:
    messages = [*chain([100, None, 101, 105]), *chain([101, 102], epoch=4)]
    assert followed(messages).findings == []


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (lambda messages: messages[:1] + messages[2:], "follows 3/1"),
        (lambda messages: [messages[1], messages[0], *messages[2:]], "message 3/2 follows 0/0"),
        (lambda messages: [*messages, messages[-1]], "message 3/4 follows 3/4"),
        (lambda messages: list(chain([100, 101, 101, 102])), "message 3/3"),
        (
            lambda messages: [messages[0], (messages[1][0], b"other", 101), *messages[2:]],
            "does not refer to the one before",
        ),
    ],
)
def test_what_stands_out_of_order_is_named(broken: object, words: str) -> None:
    assert callable(broken)
    assert any(words in finding for finding in followed(broken(list(chain([100, 101, 102, 103])))).findings)


@given(st.permutations(range(6)))
def test_any_other_order_gives_another_hash(places: list[int]) -> None:
    messages = list(chain([100, 101, 102, 103, 104, 105]))
    other = followed([messages[place] for place in places])
    assert (other.digest == followed(messages).digest) == (places == sorted(places))
    assert bool(other.findings) == (places != sorted(places))
