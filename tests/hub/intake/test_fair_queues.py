"""Queues by sender: nobody's flood costs another a message, and each sender's messages keep their order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.broker.connection import Delivery
from hub.intake.fair_queues import (
    MAX_EACH,
    MAX_EACH_SLOWED,
    MAX_GROUP,
    MAX_GROUP_EACH,
    MAX_WAITING,
    MAX_WAITING_BYTES,
    SLOWED_EACH_S,
    FairQueues,
)


def delivery(number: int, size: int = 10) -> Delivery:
    return Delivery("t", bytes(size), 1, number, 1)


def filled(**counts: int) -> FairQueues:
    queues = FairQueues()
    for sender, count in counts.items():
        for number in range(count):
            queues.put(sender, delivery(number))
    return queues


def test_a_short_queue_loses_nothing_however_many_floods_there_are() -> None:
    queues = FairQueues()
    left = []
    for number in range(MAX_EACH * 3):
        left += [queues.put(f"flood-{each}", delivery(number)) for each in range(4)]
        if number < 5:
            left.append(queues.put("honest", delivery(number)))
    assert len(queues) <= MAX_WAITING
    assert "honest" not in {each[0] for each in left if each is not None}


def test_bytes_are_bounded_as_well_and_the_largest_queue_gives_way() -> None:
    queues = FairQueues()
    queues.put("honest", delivery(0))
    size = MAX_WAITING_BYTES // 100
    left = [queues.put("large", delivery(n, size)) for n in range(120)]
    assert {each[0] for each in left if each is not None} == {"large"}
    assert 19 <= sum(each is not None for each in left) <= 21


def test_an_honest_message_is_in_the_next_group_behind_any_flood() -> None:
    queues = filled(flood=MAX_EACH, other=MAX_EACH)
    queues.put("honest", delivery(7))
    assert delivery(7) in queues.take(0.0)
    assert len(queues.take(0.0)) <= 2 * MAX_GROUP_EACH


def test_who_is_up_to_date_comes_before_who_catches_up_and_neither_starves() -> None:
    queues = FairQueues()
    for number in range(20):
        for sender in range(30):
            queues.put(f"live-{sender}", delivery(number))
    for number in range(40):
        queues.put("late", delivery(1000 + number))
    queues.note_behind("late", is_behind=True)
    group = queues.take(0.0)
    first_late = next(at for at, each in enumerate(group) if each.packet_id >= 1000)
    assert first_late == int(MAX_GROUP * 0.75), "the live ones first, and a quarter of the group for the rest"


def test_a_slowed_sender_is_served_one_at_a_time_and_seldom() -> None:
    queues = filled(flood=MAX_EACH)
    left, settled = queues.slow({"flood"})
    assert (len(left), len(settled)) == (MAX_EACH - MAX_EACH_SLOWED, MAX_EACH_SLOWED)
    assert [each.qos for each in queues.take(10.0)] == [0], "the broker waits for it no longer"
    assert queues.take(10.0) == []
    assert queues.ready_in_s(10.0) == pytest.approx(SLOWED_EACH_S)
    assert queues.ready_count(10.0) == 0
    assert len(queues.take(10.5)) == 1
    queues.slow(())
    assert queues.ready_in_s(10.0) == 0


def test_a_slowed_sender_has_a_short_queue() -> None:
    queues = filled(flood=1)
    queues.slow({"flood"})
    left = [queues.put("flood", delivery(n)) for n in range(100)]
    assert sum(each is None for each in left) == MAX_EACH_SLOWED - 1


def test_large_messages_cost_their_sender_turns() -> None:
    queues = FairQueues()
    for number in range(60):
        queues.put("large", delivery(number, 16_000))
        queues.put("small", delivery(1000 + number, 100))
    group = queues.take(0.0)
    after_the_first_small = [each.packet_id for each in group[: group.index(delivery(1014, 100))]]
    assert sum(each < 1000 for each in after_the_first_small) <= 2


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 20_000)), max_size=150), st.sets(st.sampled_from("abc"))
)
def test_each_senders_messages_come_once_and_in_order(messages: list[tuple[str, int]], behind: set[str]) -> None:
    queues, sent = FairQueues(), {name: list[int]() for name in "abc"}
    for name in behind:
        queues.note_behind(name, is_behind=True)
    senders = {}
    for number, (sender, size) in enumerate(messages):
        assert queues.put(sender, delivery(number, size)) is None
        sent[sender].append(number)
        senders[number] = sender
    came = {name: list[int]() for name in "abc"}
    while len(queues):
        group = queues.take(0.0)
        assert 0 < len(group) <= MAX_GROUP
        for each in group:
            came[senders[each.packet_id]].append(each.packet_id)
    assert came == sent


def test_what_waits_of_a_sender_can_be_forgotten_and_the_others_keep_theirs() -> None:
    queues = filled(hostile=30, honest=3)
    dropped = queues.drop(["hostile", "nobody"])
    assert [(sender, each.packet_id) for sender, each in dropped] == [("hostile", number) for number in range(30)]
    assert len(queues) == 3
    assert [each.packet_id for each in queues.take(0.0)] == [0, 1, 2]
    assert queues.put("hostile", delivery(1)) is None
