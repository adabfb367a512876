"""What waits to be sent: in order, bounded, and of what only the newest counts, only the newest."""

from hypothesis import given
from hypothesis import strategies as st

from hub.broker.link.outgoing import MAX_SINGLE, Outgoing


def taken(outgoing: Outgoing) -> list[tuple[str, bytes, bool]]:
    found = []
    while (waiting := outgoing.take()) is not None:
        found.append((waiting.topic, waiting.seal(), waiting.is_kept))
    return found


def test_a_newer_receipt_takes_the_turn_of_the_older_one_which_is_never_signed() -> None:
    outgoing, signed = Outgoing(), []

    def sealed(name: bytes) -> bytes:
        signed.append(name)
        return name

    outgoing.put_latest("a", lambda: sealed(b"old"), of=1)
    outgoing.put("b", b"prompt", is_kept=True)
    outgoing.put_latest("a", lambda: sealed(b"new"), of=1)
    outgoing.put_latest("a", lambda: sealed(b"of the next epoch"), of=2)
    assert taken(outgoing) == [("a", b"new", False), ("b", b"prompt", True), ("a", b"of the next epoch", False)]
    assert signed == [b"new", b"of the next epoch"]
    assert (outgoing.replaced, outgoing.dropped) == (1, 0)


def test_single_messages_are_bounded_and_do_not_crowd_out_receipts() -> None:
    outgoing = Outgoing()
    for number in range(MAX_SINGLE + 5):
        outgoing.put("t", b"%d" % number)
    outgoing.put_latest("a", lambda: b"receipt", of=1)
    assert outgoing.dropped == 5
    sent = taken(outgoing)
    assert len(sent) == MAX_SINGLE + 1
    assert sent[-1][1] == b"receipt"
    outgoing.put("t", b"again")
    assert taken(outgoing) == [("t", b"again", False)]


@given(st.lists(st.tuples(st.booleans(), st.sampled_from("abc"), st.integers(1, 2)), max_size=60))
def test_each_single_message_comes_once_and_of_each_receipt_the_last(
    put: list[tuple[bool, str, int]],
) -> None:
    outgoing, singles, latest = Outgoing(), [], {}
    for number, (is_single, topic, epoch) in enumerate(put):
        sealed = b"%d" % number
        if is_single:
            outgoing.put(topic, sealed)
            singles.append(sealed)
        else:
            outgoing.put_latest(topic, lambda sealed=sealed: sealed, of=epoch)
            latest[topic, epoch] = sealed
    sent = [sealed for _, sealed, _ in taken(outgoing)]
    assert [each for each in sent if each in singles] == singles
    assert sorted(each for each in sent if each not in singles) == sorted(latest.values())
