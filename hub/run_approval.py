"""The board's word on a month's run: two different members approve it, then one publishes it. Each word is signed."""

from collections.abc import Callable

from hub.bill_runs import book_bills
from hub.book_signing import as_row, attestation_head
from hub.core.attestations import APPROVAL, PUBLICATION, attest
from hub.core.month_runs import MonthRun, why_not_approve, why_not_publish
from hub.core.signed_document import Signer
from hub.core.tax_terms import TaxTerms
from hub.settlement_days import TRIES, SettlementStores
from hub.settlement_runs import month_runs
from hub.storage.failures import StoreConflict

KEY_CHARS_LEAST = 8


class ApprovalRefused(Exception):
    """The word does not count; one line says why."""


async def approve_run(store: SettlementStores, *, run: str, member: str, at: int, key: Signer) -> MonthRun:
    """Add a board member's approval to the run with this key (or its first 8 or more digits); the run as it is then.

    Raises: ApprovalRefused.
    """
    return await _say(store, APPROVAL, why_not_approve, run=run, member=member, at=at, key=key)


async def publish_run(
    store: SettlementStores, *, run: str, member: str, at: int, key: Signer, terms: TaxTerms | None = None
) -> MonthRun:
    """Book an approved run's bills by the tax terms and publish it. Raises: ApprovalRefused; then nothing is booked."""
    who, runs = await store.member(member), await month_runs(store)
    chosen = find_run(run, runs)
    if who is not None and why_not_publish(chosen, member, is_board=who.is_board, runs=runs) is None:
        await book_bills(store, chosen, terms=terms, at=at, key=key)
    return await _say(store, PUBLICATION, why_not_publish, run=run, member=member, at=at, key=key)


async def _say(
    store: SettlementStores,
    kind: str,
    why_not: Callable[..., str | None],
    *,
    run: str,
    member: str,
    at: int,
    key: Signer,
) -> MonthRun:
    """Checked against what stands, and signed after it: a word said at the same moment makes this one start again."""
    who = await store.member(member)
    if who is None:
        raise ApprovalRefused(f"there is no member {member[:40]!r}")
    for attempt in range(TRIES):
        head = await attestation_head(store)
        runs = await month_runs(store)
        chosen = find_run(run, runs)
        if problem := why_not(chosen, member, is_board=who.is_board, runs=runs):
            raise ApprovalRefused(problem)
        content = {"member": member, "at": at}
        coop = (await store.coop()).id
        said = attest(content, kind=kind, subject=chosen.month, run_key=chosen.run_key, coop=coop, head=head, key=key)
        try:
            # If power fails before this commit the word was not given, and may be given again.
            await store.attest([as_row(said)])
        except StoreConflict:
            if attempt == TRIES - 1:
                raise
            continue
        return find_run(chosen.run_key, await month_runs(store))
    raise AssertionError("unreachable")


def find_run(key: str, runs: tuple[MonthRun, ...]) -> MonthRun:
    """The month run with this key or with a key that begins so. Raises: ApprovalRefused."""
    found = [run for run in runs if run.run_key.startswith(key)] if len(key) >= KEY_CHARS_LEAST else []
    if len(found) == 1:
        return found[0]
    if len(key) < KEY_CHARS_LEAST:
        raise ApprovalRefused(f"give at least {KEY_CHARS_LEAST} digits of the run's key")
    known = ", ".join(f"{run.kind} of {run.month} {run.run_key[:12]}" for run in runs[-4:]) or "none yet"
    raise ApprovalRefused(f"{'no' if not found else 'more than one'} run has the key {key[:64]!r}; newest: {known}")
