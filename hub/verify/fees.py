"""Checks every booking of a month's fees: its record, the amounts that follow from it, and the ledger's entries."""

import hashlib
from collections import defaultdict

import msgspec

from hub.books.days import SettlementStores
from hub.books.stored_rules import read_rule
from hub.core.ledger.entries import read_entry
from hub.core.ledger.fee_records import FEES_KIND, PLAN_TAG, RECORD_TAG, read_fee_record
from hub.core.ledger.fund_entries import FEE_LINE
from hub.core.ledger.signed_document import canonical_bytes
from hub.core.rules.input_checks import RejectedInputError
from hub.storage.records import RunRow
from hub.verify.check_result import CheckResult


class _Hashed(msgspec.Struct, frozen=True):
    """The tables of a record that its run's hashes cover."""

    plan: dict[str, object]
    inputs: dict[str, object]


async def check_fees(store: SettlementStores, found: CheckResult) -> None:
    """Compute all fees again from what their runs recorded. A record that cannot be read is a finding."""
    booked: dict[str, dict[tuple[str, str], int]] = defaultdict(lambda: defaultdict(int))
    for run in await store.fund_runs(kinds=(FEES_KIND,)):
        with found.reading(f"fees of {run.day}"):
            for row in await store.entries_of_run(run.run_key):
                for posting in read_entry(row.canonical).postings:
                    if posting.line == FEE_LINE:
                        booked[run.day][row.member, posting.account] += posting.amount
            for problem in await _problems(store, run, booked[run.day]):
                found.note(f"fees of {run.day}, run {run.run_key[:12]}: {problem}")


async def _problems(store: SettlementStores, run: RunRow, booked: dict[tuple[str, str], int]) -> list[str]:
    document = run.allocation.removeprefix(RECORD_TAG)
    record, tables = read_fee_record(document), msgspec.json.decode(document, type=_Hashed)
    problems = []
    if hashlib.sha256(PLAN_TAG + canonical_bytes(tables.plan)).hexdigest() != run.rule_hash:
        problems.append("the plan in its record is not the one in its key")
    if hashlib.sha256(canonical_bytes(tables.inputs)).hexdigest() != run.input_digest:
        problems.append("the memberships in its record are not those in its key")
    rule = read_rule((await store.rule_on(run.day))[1])
    if record.plan.part_month != rule.part_month_fee:
        problems.append(f"a part of a month counts as {record.plan.part_month}, the rule says {rule.part_month_fee}")
    stated = record.stated()
    try:
        if record.recomputed() != stated:
            problems.append("its amounts do not follow from its plan and its memberships")
    except RejectedInputError as refusal:
        problems.append(f"its plan is refused ({refusal})")
    wanted = {
        (member, account): nano for member, lines in stated.items() for (_, account), nano in lines.items() if nano
    }
    if wanted != {place: nano for place, nano in booked.items() if nano}:
        problems.append("the ledger's entries are not its amounts")
    return problems
