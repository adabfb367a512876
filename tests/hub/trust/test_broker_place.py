"""An agent that asks where its broker is gets the hub's signed notice; anything else gets a sentence."""

import json

from hub.trust.broker_place import PlaceAnswers
from protocols.enrolment.broker_notices import build_question, decode_broker, parse_place
from protocols.wire.envelope import open_sealed
from protocols.wire.topics import downlink_topic
from tests.hub.broker.sharded.test_links import COOP, HIGH
from tests.hub.broker.sharded.test_notices import KEY, NOTICES


class Asked:
    """What seals a notice for whoever asks."""

    certificate = ""

    async def sealed(self, agent: str) -> tuple[str, bytes]:
        return NOTICES.sealed(agent)


async def test_whoever_asks_gets_the_signed_place() -> None:
    answers = PlaceAnswers(Asked(), now=lambda: 0.0)
    status, body = await answers(build_question(HIGH[0]).encode())
    sealed, certificate = parse_place(body)
    topic = downlink_topic(COOP, HIGH[0], kind="broker")
    assert (status, certificate) == (200, "")
    assert decode_broker(open_sealed(sealed, topic, KEY.public_key())).host == "b2.example"


async def test_another_question_is_refused_in_a_sentence() -> None:
    answers = PlaceAnswers(Asked(), now=lambda: 0.0)
    for body, status in ((b"", 400), (b"[]", 400), (b"x" * 300, 413), (b'{"version": 1, "agent": "A B"}', 400)):
        found, text = await answers(body)
        assert found == status
        assert json.loads(text)["error"]
    for _ in range(40):
        found, _ = await answers(b"")
    assert found == 429
    assert (await answers(build_question(HIGH[0]).encode()))[0] == 200, "a right one is still answered"
