"""The board's word on a month's run: two different members approve it, then one publishes it. Each word is signed."""

from collections.abc import Awaitable, Callable
from functools import partial

from hub.books.days import TRIES, SettlementStores
from hub.books.runs import month_runs
from hub.books.signing import as_row, attestation_head, sign_older_runs
from hub.core.ledger.attestations import APPROVAL, PUBLICATION, Attestation, Head, attest
from hub.core.ledger.month_runs import MonthRun, approval_obstacle, publication_obstacle
from hub.core.ledger.signed_document import Signer
from hub.core.payments.tax_terms import TaxTerms
from hub.money.bills import book_bills
from hub.money.funds import MakeAttestation
from hub.storage.errors import StoreConflictError
from protocols.errors import RequestError

KEY_CHARS_LEAST = 8


async def approve_run(store: SettlementStores, *, run: str, member: str, at: int, key: Signer) -> MonthRun:
    """Add a board member's approval to the run with this key (or its first 8 or more digits); the run as it is then.

    Raises: RequestError.
    """

    async def keep(_chosen: MonthRun, head: Head, say: MakeAttestation) -> None:
        # If power fails before this commit the word was not given, and may be given again.
        await store.attest([as_row(say(head))])

    return await _say(store, APPROVAL, approval_obstacle, run=run, member=member, at=at, key=key, keep=keep)


async def publish_run(
    store: SettlementStores, *, run: str, member: str, at: int, key: Signer, terms: TaxTerms | None = None
) -> MonthRun:
    """Book an approved run's bills by the tax terms and publish it, both or neither.

    Raises: RequestError; then nothing is booked.
    """
    await sign_older_runs(store, coop=(await store.coop()).id, key=key)

    async def keep(chosen: MonthRun, head: Head, say: MakeAttestation) -> None:
        await book_bills(store, chosen, terms=terms, at=at, key=key, head=head, publish=say)

    return await _say(store, PUBLICATION, publication_obstacle, run=run, member=member, at=at, key=key, keep=keep)


async def _say(
    store: SettlementStores,
    kind: str,
    why_not: Callable[..., str | None],
    *,
    run: str,
    member: str,
    at: int,
    key: Signer,
    keep: Callable[[MonthRun, Head, MakeAttestation], Awaitable[None]],
) -> MonthRun:
    """Checked against what stands, and signed after it: a word said at the same moment makes this one start again."""
    who = await store.member(member)
    if who is None:
        raise RequestError(f"there is no member {member[:40]!r}")
    coop = (await store.coop()).id
    for attempt in range(TRIES):
        head = await attestation_head(store)
        runs = await month_runs(store)
        chosen = find_run(run, runs)
        if problem := why_not(chosen, member, is_board=who.is_board, runs=runs):
            raise RequestError(problem)
        said = partial(attest, {"member": member, "at": at}, kind=kind, subject=chosen.month, run_key=chosen.run_key)

        def say(after: Head, said: Callable[..., Attestation] = said) -> Attestation:
            return said(coop=coop, head=after, key=key)

        try:
            await keep(chosen, head, say)
        except StoreConflictError:
            if attempt == TRIES - 1:
                raise
            continue
        return find_run(chosen.run_key, await month_runs(store))
    raise AssertionError("unreachable")


def find_run(key: str, runs: tuple[MonthRun, ...]) -> MonthRun:
    """The month run with this key or with a key that begins so. Raises: RequestError."""
    found = [run for run in runs if run.run_key.startswith(key)] if len(key) >= KEY_CHARS_LEAST else []
    if len(found) == 1:
        return found[0]
    if len(key) < KEY_CHARS_LEAST:
        raise RequestError(f"give at least {KEY_CHARS_LEAST} digits of the run's key")
    known = ", ".join(f"{run.kind} of {run.month} {run.run_key[:12]}" for run in runs[-4:]) or "none yet"
    raise RequestError(f"{'no' if not found else 'more than one'} run has the key {key[:64]!r}; newest: {known}")
