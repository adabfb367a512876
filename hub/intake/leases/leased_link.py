"""The link to homes of a worker that speaks for its own shards alone, and only while it is sure to have them."""

from collections.abc import Callable, Hashable, Sequence

from hub.broker.connection import Delivery
from hub.broker.link.outgoing import Seal, Taken
from hub.intake.homes_link import Link
from protocols.wire.refusal_reasons import WireError
from protocols.wire.topics import parse_topic


class LeasedLink:
    """`may_tell` says whether this worker may speak for an agent now."""

    def __init__(self, link: Link, *, may_tell: Callable[[str], bool]) -> None:
        self._link = link
        self._may_tell = may_tell

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Tell the broker not to deliver these again."""
        self._link.acknowledge(deliveries)

    def publish(self, topic: str, sealed: bytes, *, is_kept: bool = False) -> None:
        """Send what is of this worker's shards. What the broker keeps for later rests on the store: always sent."""
        if is_kept or self._is_ours(topic):
            self._link.publish(topic, sealed, is_kept=is_kept)

    def publish_latest(self, topic: str, seal: Seal, *, of: Hashable, taken: Taken | None = None) -> None:
        """The same for what takes the place of an earlier message; it is asked once more when its turn has come."""
        self._link.publish_latest(topic, lambda: seal() if self._is_ours(topic) else None, of=of, taken=taken)

    def _is_ours(self, topic: str) -> bool:
        try:
            return self._may_tell(parse_topic(topic).agent)
        except WireError:
            return False
