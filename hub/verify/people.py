"""Checks that whoever approved, decided or entered something was allowed to do so at that time, by the log of rows."""

import json
from typing import Final

from hub.core.ledger.attestations import read_attestation
from hub.storage.audit_records import BoardAct, RowLogStore
from hub.storage.contract import AttestationStore
from hub.storage.records import AttestationRow
from hub.verify.check_result import CheckResult
from hub.verify.folder_check.growing_rows import shown
from hub.verify.rows import RowHistory

ATTESTATION: Final = "attestation"
ADOPTION: Final = "rule_adoption"
PROPOSAL: Final = "rule_proposal"
WITHDRAWAL: Final = "rule_withdrawal"
OWN_MATTERS: Final = frozenset({"account", "mandate", "mandate_end"})
"""Tables in which members may enter their own rows; everything else needs the board."""
ACT_TABLES: Final = frozenset(
    {
        ATTESTATION,
        ADOPTION,
        PROPOSAL,
        WITHDRAWAL,
        "finding_decision",
        "objection_decision",
        "agent_objection_decision",
        "connection_agreement",
        "map_file",
        "map_proposal",
        "map_release",
        "map_withdrawal",
        "member_change",
        *OWN_MATTERS,
    }
)
PAGE: Final = 2_000


async def check_people(store: RowLogStore, history: RowHistory, found: CheckResult) -> int:
    """Check every act of a person against the roles of that time; returns how many acts there are."""
    async with store.row_log() as view:
        acts = list(await view.acts())
    for act in acts:
        _check_act(act, history, found)
    return len(acts)


async def check_approvers(store: AttestationStore, history: RowHistory, found: CheckResult) -> int:
    """The same for approvals and publications, which the hub signs one by one."""
    count, after = 0, 0
    while page := await store.journal_attestations(after=after, limit=PAGE):
        after = page[-1].position
        for row in page:
            if member := _member_of(row):
                count += 1
                _check_act(BoardAct(ATTESTATION, json.dumps([row.position]), member, ""), history, found)
    return count


def _member_of(row: AttestationRow) -> str:
    """Who approved or published; empty for documents that no person decided."""
    try:
        content = read_attestation(row.document).content
    except ValueError:
        return ""  # the check of the books names it
    member = content.get("member") if content.keys() == {"member", "at"} else None
    return member if isinstance(member, str) else ""


def _check_act(act: BoardAct, history: RowHistory, found: CheckResult) -> None:
    written = history.first.get((act.source, act.row_key))
    if written is None:
        return  # not in the log: the check of the rows names it
    position, _ = written
    on_board = history.was_on_board(act.by, position)
    place = f"{act.source} {shown(act.row_key)}"
    if on_board is None:
        found.note(f"{place}: {act.by} was no member when this was written")
    elif not on_board and not (act.source in OWN_MATTERS and act.by == act.member):
        found.note(f"{place}: {act.by} was not on the board when this was written")
    elif act.source not in OWN_MATTERS and act.by == act.member:
        found.note(f"{place}: {act.by} decided their own matter")
