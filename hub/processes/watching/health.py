"""Puts together what is known of the running hub's health: it asks each part, and looks at the processes itself."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

from hub.broker.sharded.running import Brokers
from hub.broker.supervisor import BrokerProcess
from hub.health.facts import (
    HubHealth,
    IntakeHealth,
    JobHealth,
    PagesHealth,
    PartHealth,
    ProcessUse,
    StoredHealth,
    StoreTrouble,
)
from hub.health.reported import HealthReportError, read_health
from hub.processes.channel import ChannelError
from hub.processes.part_process import PartProcess
from hub.processes.watching.own_use import LoopWatch, own_use, own_version, use_of
from protocols.timeline import Clock

log = logging.getLogger(__name__)

ASK_WITHIN_S: Final = 5.0
ALIVE_WITHIN_S: Final = 60.0
T = TypeVar("T")


class HubWatch:
    """The health of this hub, whenever it is asked for. `process` names this start of it among others."""

    def __init__(self, parts: Sequence[PartProcess], brokers: Brokers, *, clock: Clock, process: str) -> None:
        self._process = process
        self._parts, self._brokers, self._clock = parts, brokers, clock
        self._lateness = LoopWatch()
        self._version = own_version()

    async def run(self) -> None:
        """Watch this process's own event loop until cancelled."""
        await self._lateness.run()

    async def health(self) -> HubHealth:
        """What is known now. A part that does not answer has said nothing."""
        said = await asyncio.gather(*(self._ask(part) for part in self._parts))
        reports = dict(zip((part.name for part in self._parts), said, strict=True))
        troubles = [_read(report, "store_trouble", StoreTrouble) for report in said]
        now_s = self._clock.now()
        return HubHealth(
            now_s=now_s,
            version=self._version,
            process=self._process,
            parts=(
                PartHealth("hub", is_serving=True, use=own_use(self._lateness)),
                *(self._part(part, reports[part.name], now_s=now_s) for part in self._parts),
                *(_of_broker(name, process, now_s=now_s) for name, process in self._brokers.processes.items()),
                *self._worker(reports.get("timetable", reports.get("worker", {}))),
            ),
            intake=_read(reports.get("intake", {}), "intake", IntakeHealth),
            pages=_read(reports.get("pages", {}), "pages", PagesHealth),
            jobs=_read(reports.get("timetable", {}), "jobs", tuple[JobHealth, ...]) or (),
            stored=_read(reports.get("timetable", {}), "stored", StoredHealth),
            store_trouble=next((each for each in troubles if each is not None), None),
        )

    async def _ask(self, part: PartProcess) -> Mapping[str, Any]:
        if not part.serving.is_set():
            return {}
        try:
            return await part.ask("health", within_s=ASK_WITHIN_S)
        except ChannelError as error:
            log.debug("%s", error)
            return {}

    def _part(self, part: PartProcess, report: Mapping[str, Any], *, now_s: float) -> PartHealth:
        return PartHealth(
            name=part.name,
            is_serving=part.is_alive(within_s=ALIVE_WITHIN_S),
            restarts=part.restarts,
            problem=part.last_end,
            ended_at=None if part.ended_ago_s is None else int(now_s - part.ended_ago_s),
            use=_read(report, "use", ProcessUse),
        )

    def _worker(self, report: Mapping[str, Any]) -> list[PartHealth]:
        found = _read(report, "worker", PartHealth)
        return [] if found is None else [found]


def _of_broker(name: str, broker: BrokerProcess, *, now_s: float) -> PartHealth:
    return PartHealth(
        name=name,
        is_serving=broker.ready.is_set(),
        restarts=broker.restarts,
        problem=broker.last_end,
        ended_at=None if broker.ended_ago_s is None else int(now_s - broker.ended_ago_s),
        use=None if broker.pid is None else use_of(broker.pid),
    )


def _read(report: Mapping[str, Any], name: str, kind: type[T]) -> T | None:
    if report.get(name) is None:
        return None
    try:
        return read_health(report[name], kind)
    except HealthReportError as error:
        log.error("%s: %s", name, error)
        return None
