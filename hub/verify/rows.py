"""Compares every row of the logged tables with the log of rows, and the log with the hub's signature."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hub.console.progress import ReportProgress, ignore_progress
from hub.storage.audit_records import (
    ADDED,
    FIRST_LINK,
    FORM,
    REMOVED,
    TAKEN_OVER,
    LogHead,
    LogLine,
    RowLogStore,
    RowLogView,
    head_bytes,
    next_link,
)
from hub.verify.check_result import CheckResult
from hub.verify.folder_check.growing_rows import SIDE_BY_SIDE, GrowingRows, shown
from hub.verify.hub_keys import HubKeys
from hub.verify.kept_roots import SignedLogHead
from protocols.hub_keys import HubKeyCertificate

ROLE_SOURCE: Final = "member"


@dataclass
class RowCheck(CheckResult):
    """What was checked; `acts` are decisions of people compared with their roles, `heads` the log's in day roots,
    `bundles` those of device maps compared with the texts that were added.

    `taken_over` rows are older than the log, which holds them from `taken_over_at` on (unix seconds).
    """

    lines: int = 0
    rows: int = 0
    acts: int = 0
    heads: int = 0
    bundles: int = 0
    taken_over: int = 0
    taken_over_at: int | None = None


@dataclass
class RowHistory:
    """What the log says: the digest each row has now, when each row came, and each member's roles over time.

    `end` is the last line's position and the chain's hash there. `first` maps (table, row key) to the row's first line:
    its position and when it was written (unix seconds). `roles` lists (position, is on the board).
    """

    end: tuple[int, bytes] = (0, FIRST_LINK)
    now: dict[str, dict[str, bytes]] = field(default_factory=lambda: defaultdict(dict))
    first: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    roles: dict[str, list[tuple[int, bool]]] = field(default_factory=lambda: defaultdict(list))
    forms: set[tuple[str, str]] = field(default_factory=set)

    def was_on_board(self, member: str, position: int) -> bool | None:
        """Whether the member was on the board when that line was written; None if the log knows no such member then."""
        known = [on_board for at, on_board in self.roles.get(member, ()) if at <= position]
        return known[-1] if known else None


async def check_rows(
    store: RowLogStore,
    key: Ed25519PublicKey | None = None,
    *,
    certificates: Sequence[HubKeyCertificate] = (),
    acts: frozenset[str] = frozenset(),
    heads: Sequence[SignedLogHead] = (),
    report: ReportProgress = ignore_progress,
) -> tuple[RowCheck, RowHistory]:
    """Check the file, its definitions, the log's chain and signature, and each row against its newest line.

    `key` is the hub's lasting public key, and the `certificates` are those of its hub keys. The history keeps the first
    line of the rows of these tables: `acts`. The chain must pass through all the `heads`
    that the hub signed with its day roots.
    """
    check, history = RowCheck(), RowHistory()
    keys = None if key is None else HubKeys(key, certificates)
    async with store.row_log() as view:
        with check.reading("store"):
            for problem in (*await view.damaged_pages(), *await view.differing_definitions(), *await view.loose_rows()):
                check.note(f"store: {problem}")
        forms = await view.forms()
        growing = {table: GrowingRows(table, view) for table in sorted(SIDE_BY_SIDE & forms.keys())}
        with check.reading("log of rows"):
            await _check_chain(view, check, history, growing, keys=keys, acts=acts, heads=heads, report=report)
            for waiting in await view.waiting():
                check.note(f"{waiting.source} {shown(waiting.row_key)}: {waiting.change} past the hub")
        _check_forms(forms, check, history)
        for table in forms:
            with check.reading(f"table {table}"):
                if table in growing:
                    for sentence in await growing[table].differences():
                        check.note(sentence)
                    check.rows += growing[table].count
                else:
                    await _compare(view, table, check, history.now[table])
            report("rows", check.rows, None)
        for table in sorted(history.now.keys() - forms.keys()):
            check.note(f"log of rows: it names the table {table}, which this store does not log")
    return check, history


def _check_forms(forms: dict[str, str], check: RowCheck, history: RowHistory) -> None:
    """Each table was taken over in its present form when the step of the schema was applied, and never later."""
    if not history.forms:
        check.note("log of rows: its beginning is gone; this store's log was begun, and a log is never begun again")
        return
    for table, form in forms.items():
        if (table, form) not in history.forms:
            check.note(f"log of rows: it has no line with which it begins to hold the table {table}")


async def _check_chain(
    view: RowLogView,
    check: RowCheck,
    history: RowHistory,
    growing: Mapping[str, GrowingRows],
    *,
    keys: HubKeys | None,
    acts: frozenset[str],
    heads: Sequence[SignedLogHead],
    report: ReportProgress,
) -> None:
    head = await view.head()
    position, link = 0, FIRST_LINK
    at: int | None = None
    wanted = {each.lines for each in heads} | (set() if head is None else {head.position})
    links = {0: FIRST_LINK}
    # Nearly all lines are of rows that were added to a growing table: those take the short way.
    adding = {table: each.add_new for table, each in growing.items() if table not in acts}
    async for page in view.lines():
        check.lines += len(page)
        for line in page:
            if line.position != position + 1:
                check.note(f"log of rows: line {position + 1} is missing, the next is {line.position}")
            position, link = line.position, next_link(link, line)
            if position in wanted:
                links[position] = link
            if line.change == ADDED and (add_new := adding.get(line.source)) is not None:
                add_new(line.row_key, line.digest)
            else:
                _remember(line, check, history, growing, acts=acts)
        at = page[-1].at
        for each in growing.values():
            await each.keep_up()
        report("lines of the log of rows", check.lines, None)
    history.end = (position, link)
    _check_heads(heads, links, check)
    if head is None:
        check.note("log of rows: its signed head is missing")
        return
    if position != head.position:
        check.note(f"log of rows: it ends with line {position}, and the hub signed for {head.position} lines")
    elif links.get(position) != head.hash:
        check.note("log of rows: a line was changed, because the lines do not give the head that the hub signed")
    if keys is not None:
        _check_signature(head, check, keys=keys, at=at)


def _check_signature(head: LogHead, check: RowCheck, *, keys: HubKeys, at: int | None) -> None:
    """Check that a hub key has signed the head whose time was not over when the last line was written."""
    signer = keys.signer_of(head_bytes(head.position, head.hash), head.signature)
    if signer is None:
        check.note(f"log of rows: {keys.unsigned} its head")
    elif ended := keys.ended_before(signer, at):
        check.note(f"log of rows: its head is {ended}")


def _check_heads(heads: Sequence[SignedLogHead], links: dict[int, bytes], check: RowCheck) -> None:
    """Check that the log still begins with the lines for which the hub signed with each day root."""
    check.heads = sum(head.is_root for head in heads)
    if missed := [head for head in heads if links.get(head.lines) != head.link]:
        kind = "more roots" if all(head.is_root for head in missed[1:]) else "more"
        more = f", and so for {len(missed) - 1} {kind}" if len(missed) > 1 else ""
        check.note(
            f"log of rows: its first {missed[0].lines} lines are not those that the hub signed for with"
            f" {missed[0].place}{more}: the log was removed or rewritten since"
        )


def _remember(
    line: LogLine,
    check: RowCheck,
    history: RowHistory,
    growing: Mapping[str, GrowingRows],
    *,
    acts: frozenset[str],
) -> None:
    if line.source in growing:
        growing[line.source].add(line)
    if line.change == FORM:
        if (line.source, line.row_key) in history.forms:
            check.note(f"log of rows: line {line.position} takes over the table {line.source} a second time")
        history.forms.add((line.source, line.row_key))
        return
    if line.source not in growing:
        digests = history.now[line.source]
        if line.change == REMOVED:
            digests.pop(line.row_key, None)
        else:
            digests[line.row_key] = line.digest
    if line.change == REMOVED:
        return
    if line.change == TAKEN_OVER:
        check.taken_over += 1
        check.taken_over_at = line.at
    if line.source in acts:
        history.first.setdefault((line.source, line.row_key), (line.position, line.at))
    if line.source == ROLE_SOURCE:
        try:
            role, (member,) = json.loads(line.says), json.loads(line.row_key)
            history.roles[member].append((line.position, bool(role["is_board"])))
        except (ValueError, TypeError, KeyError):
            check.note(f"log of rows: line {line.position} does not say a member's role")


async def _compare(view: RowLogView, table: str, check: RowCheck, logged: dict[str, bytes]) -> None:
    async for page in view.rows(table):
        for row_key, digest in page:
            check.rows += 1
            held = logged.pop(row_key, None)
            if held is None:
                check.note(f"{table} {shown(row_key)}: the row was added past the hub")
            elif held != digest:
                check.note(f"{table} {shown(row_key)}: the row was changed past the hub")
    for row_key in logged:
        check.note(f"{table} {shown(row_key)}: the row was removed past the hub")
