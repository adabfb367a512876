"""Topics: what is built is read back, and nothing else is read at all."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.wire import topics
from protocols.wire.refusal_reasons import RefusalReason, WireError

IDS = st.from_regex(r"[a-z0-9-]{1,32}", fullmatch=True)


@given(coop=IDS, agent=IDS, kind=st.sampled_from(topics.UP_KINDS))
def test_up_and_back(coop: str, agent: str, kind: str) -> None:
    topic = topics.parse_topic(topics.uplink_topic(coop, agent, kind=kind))
    assert (topic.coop, topic.agent, topic.direction, topic.kind) == (coop, agent, "up", kind)
    assert topic.shard == sha256(agent.encode()).digest()[0] % 64
    assert topic.text() == topics.uplink_topic(coop, agent, kind=kind)


@given(coop=IDS, agent=IDS, kind=st.sampled_from(topics.DOWN_KINDS))
def test_down_and_back(coop: str, agent: str, kind: str) -> None:
    text = topics.downlink_topic(coop, agent, kind=kind)
    assert topics.parse_topic(text).direction == "down"
    assert text.startswith(topics.down_filter(coop, agent).removesuffix("+"))


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "cw1",
        "#",
        "cw1/#",
        "cw1/c/0/+/up/batch",
        "cw1/c/0/a/up/batch",
        "cw2/c/52/a/up/batch",
        "cw1/C/10/a/up/batch",
        "cw1/c/010/a/up/batch",
        "cw1/c/10/a/up/receipt",
        "cw1/c/10/a/down/batch",
        "cw1/c/10/a/side/batch",
        "cw1/c/10/a/up/batch/",
        "cw1/c/10/ä/up/batch",
        "cw1/c/10/a\n/up/batch",
        "cw1/" + "c" * 33 + "/10/a/up/batch",
        "x" * 100_000,
    ],
)
def test_any_other_topic_is_refused(topic: str) -> None:
    with pytest.raises(WireError) as caught:
        topics.parse_topic(topic)
    assert caught.value.reason is RefusalReason.FOREIGN_TOPIC


@given(text=st.text(max_size=60))
def test_a_topic_is_read_only_when_it_is_the_one_that_would_be_built(text: str) -> None:
    try:
        topic = topics.parse_topic(text)
    except WireError:
        return
    assert topic.text() == text


def test_another_co_op_and_the_wrong_direction_are_told_apart() -> None:
    with pytest.raises(WireError) as caught:
        topics.require_uplink_topic(topics.uplink_topic("north", "a1", kind="batch"), "south")
    assert caught.value.reason is RefusalReason.WRONG_COOP
    with pytest.raises(WireError) as caught:
        topics.require_uplink_topic(topics.downlink_topic("north", "a1", kind="receipt"), "north")
    assert caught.value.reason is RefusalReason.FOREIGN_TOPIC
    assert topics.require_uplink_topic(topics.uplink_topic("north", "a1", kind="answer"), "north").kind == "answer"


@given(agents=st.lists(IDS, max_size=30), workers=st.integers(1, 64))
def test_workers_divide_the_agents_without_rest_or_overlap(agents: list[str], workers: int) -> None:
    filters = [topics.up_filters("c", range(worker, 64, workers)) for worker in range(workers)]
    for agent in agents:
        prefix = topics.uplink_topic("c", agent, kind="batch").rsplit("/", 3)[0] + "/"
        takers = [n for n, own in enumerate(filters) if any(f.startswith(prefix) for f in own)]
        assert len(takers) == 1


def test_filters_are_checked() -> None:
    assert topics.up_filters("c") == ("cw1/c/+/+/up/+",)
    with pytest.raises(ValueError, match="shards"):
        topics.up_filters("c", [64])
    with pytest.raises(ValueError, match="co-op"):
        topics.up_filters("+")


@pytest.mark.parametrize("name", ["", "A", "a/b", "+", "#", "a" * 33, "a\n", "ä"])
def test_names_that_could_be_wildcards_are_no_names(name: str) -> None:
    assert not topics.is_id(name)
    with pytest.raises(ValueError, match="agent"):
        topics.uplink_topic("c", name, kind="batch")
