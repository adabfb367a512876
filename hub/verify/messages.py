"""Opens stored messages again and compares the tables with what the homes signed; changes nothing.

With a checkpoint, only messages newer than it are opened; the rows of the others are compared by hash.
"""

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from hub.console.progress import ReportProgress, ignore_progress
from hub.core.homes.measure_sources import MeterSource
from hub.storage.audit_records import StoredRows
from hub.storage.contract import MemberStore, ReadingStore
from hub.storage.life_records import HomeErasure
from hub.storage.records import Agent
from hub.storage.rule_records import day_of
from hub.verify.check_result import FINDINGS_MAX, CheckResult
from hub.verify.homes.checkpoints import CheckpointSeals, HomeCheckpoint
from hub.verify.homes.old_messages import OldMessages
from hub.verify.homes.one_home import HomeCheck
from hub.verify.homes.signed_rows import wrong_takeovers
from hub.verify.homes.work import OLD_TO_ONE, Counter, HomesToCheck, HomeTask, HomeWork, InThisProcess
from protocols.public_keys import is_name_of
from protocols.wire.topics import shard_of

LEAST_MONTH_S: Final = 28 * 86_400


class MessageStores(MemberStore, ReadingStore, StoredRows, Protocol):
    """The parts of the store that this check needs."""


@dataclass
class MessageCheck(CheckResult):
    """What was checked, and every contradiction found.

    `messages` were opened; `compared` are older than the checkpoint and have the hashes of then. `homes_again` homes
    had other rows than then. Of homes opened from the first message on, `chains` gives each agent's chain as one hash:
    SHA-256 over one line `epoch seq hash` per message, in order. `wrong_sums` of what is wrong are sums of periods.
    """

    messages: int = 0
    compared: int = 0
    readings: int = 0
    consents: int = 0
    homes_again: int = 0
    wrong_sums: int = 0
    erased: list[str] = field(default_factory=list)
    chains: dict[str, str] = field(default_factory=dict)


async def check_messages(
    store: MessageStores,
    *,
    seals: CheckpointSeals | None = None,
    since: Mapping[str, HomeCheckpoint] | None = None,
    checkpoints: MutableMapping[str, HomeCheckpoint] | None = None,
    workers: HomeWork | None = None,
    report: ReportProgress = ignore_progress,
) -> MessageCheck:
    """Check that signatures are valid, chains have no gaps, and the tables hold exactly what the signed bytes say.

    `since` are the homes of a checkpoint; where the next verification may go on is put into `checkpoints`. Both need
    `seals`. Without `workers`, this process does the work.
    """
    check, old = MessageCheck(), since or {}
    coop, homes = await store.coop(), {home.id for home in await store.homes()}
    agents = await _check_agents(store, check)
    homes |= {agent.home_id for agent in agents}
    erased = {each.home: each for each in await store.erasures()}
    check.erased = [erased_line(each, tz=coop.tz) for each in erased.values()]
    for each in erased.values():
        await _check_erasure(store, each, check)
    for home in sorted(old.keys() - homes):
        check.note(f"home {home}: it is in the checkpoint, and the store has it no longer")
    counter = Counter(report, expected=await store.message_count() - _accepted(old))
    workers = InThisProcess(store) if workers is None else workers
    tasks = [HomeTask(home, since=old.get(home)) for home in sorted(homes)]
    of_agents = {agent: checkpoint for each in old.values() for agent, checkpoint in each.agents.items()}
    wanted = HomesToCheck(tasks, of_agents, coop.id, seals)
    found, rows = await workers.check(wanted, counter)
    again = _to_open(old, rows)
    check.homes_again = len(again)
    redo = [HomeTask(home, since=old[home], trusts_checkpoint=False) for home in sorted(again & homes)]
    more, _ = await workers.check(wanted.share(redo), counter)
    results = {each.home: each for each in found} | {each.home: each for each in more}
    _add_up(check, [results[home] for home in sorted(results)], rows)
    if checkpoints is not None:
        checkpoints.update({home: each.checkpoint for home, each in results.items() if each.checkpoint is not None})
    return check


async def work_ahead(store: ReadingStore, since: Mapping[str, HomeCheckpoint] | None) -> int:
    """How much there is to do, told as so many messages to open."""
    old = _accepted(since or {})
    return await store.message_count() - old + old // OLD_TO_ONE


def _accepted(since: Mapping[str, HomeCheckpoint]) -> int:
    return sum(agent.accepted for checkpoint in since.values() for agent in checkpoint.agents.values())


def _to_open(since: Mapping[str, HomeCheckpoint], rows: OldMessages) -> set[str]:
    """Homes whose old messages are not those of the checkpoint."""
    return {home for home, checkpoint in since.items() if checkpoint.agents.keys() & rows.differing}


def _add_up(check: MessageCheck, results: Sequence[HomeCheck], rows: OldMessages) -> None:
    check.compared = rows.compared
    for each in results:
        check.messages += each.messages
        check.readings += each.readings
        check.consents += each.consents
        check.chains.update(each.chains)
        check.wrong += each.wrong
        check.findings += each.findings[: FINDINGS_MAX - len(check.findings)]


async def _check_agents(store: MessageStores, check: MessageCheck) -> tuple[Agent, ...]:
    agents = await store.agents()
    for agent in sorted(agents, key=lambda agent: (agent.enrolled_at, agent.id)):
        if not is_name_of(agent.id, agent.public_key) or agent.shard != shard_of(agent.id):
            check.note(f"{agent.id}: its id or shard does not belong to its key")
    with check.reading("measure_source"):
        sources: tuple[MeterSource, ...] = await store.meter_sources()
        for sentence in wrong_takeovers(sources, agents):
            check.note(sentence)
    return agents


async def _check_erasure(store: MessageStores, erasure: HomeErasure, check: MessageCheck) -> None:
    """An erasure that no move-out and no time passed explains would be a way to make readings disappear."""
    member = await store.member(erasure.member)
    if member is None or member.left_at != erasure.left_at:
        check.note(f"erasure {erasure.home}: its membership did not end at that time")
    elif erasure.erased_at < erasure.left_at + erasure.months * LEAST_MONTH_S:
        check.note(f"erasure {erasure.home}: it was erased before {erasure.months} months had passed")


def erased_line(erasure: HomeErasure, *, tz: str) -> str:
    """What was erased, when and by which rule."""
    day = day_of(erasure.erased_at, tz)
    return (
        f"{erasure.home}: {erasure.messages} messages and the readings in them were erased on {day} by rule"
        f" ({erasure.months} months after the move-out); their numbers and hashes are held"
    )
