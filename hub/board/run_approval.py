"""The board's decisions on a month run: two different members approve it, then one publishes it. Each is signed."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Final

from hub.books.after_restore import require_confirmed
from hub.books.billed_entries import last_billed
from hub.books.days import SettlementStores
from hub.books.retry import retry_on_conflict
from hub.books.signing import as_row, sign_older_runs
from hub.books.view import Books, read_books
from hub.core.ledger.attestations import APPROVAL, PUBLICATION, Attestation, Head, attest
from hub.core.ledger.month_runs import MonthRun, approval_obstacle, publication_obstacle
from hub.core.ledger.signed_document import Signer
from hub.core.payments.tax_terms import TaxTerms
from hub.money.bills import book_bills
from hub.storage.contract import MemberStore
from hub.storage.records import Member
from protocols.errors import RequestError

KEY_CHARS_LEAST: Final = 8


async def approve_run(store: SettlementStores, *, run: str, member: str, at: int, key: Signer) -> MonthRun:
    """Add a board member's approval to the run with this key (or its first 8 or more digits).

    Returns the updated run. Raises: RequestError, also for a draft older than the books.
    """
    who = await find_member(store, member)

    async def approve() -> MonthRun:
        books = await read_books(store)
        chosen = find_run(run, books.month_runs)
        last_booked = await last_billed(store, date.fromisoformat(f"{chosen.month}-01"))
        if problem := approval_obstacle(
            chosen, member, is_board=who.is_board, runs=books.month_runs, last_booked=last_booked
        ):
            raise RequestError(problem)
        signed = _sign(APPROVAL, chosen, books, member=member, at=at, head=books.attestation, key=key)
        # If power fails before this commit, there is no approval, and it can be given again.
        await store.attest([as_row(signed)])
        return replace(chosen, approvals=(*chosen.approvals, (member, at)))

    return await retry_on_conflict(approve)


async def publish_run(
    store: SettlementStores, *, run: str, member: str, at: int, key: Signer, terms: TaxTerms | None = None
) -> MonthRun:
    """Book an approved run's bills under the tax terms and publish it, both or neither; returns the updated run.

    Raises: RequestError; then nothing is booked. A draft older than the books is refused: what was booked since would
    be missing from the bills, and the approvals are for what the draft bills.
    """
    who = await find_member(store, member)
    await require_confirmed(store)
    await sign_older_runs(store, key=key)

    async def publish() -> MonthRun:
        books = await read_books(store)
        chosen = find_run(run, books.month_runs)
        last_booked = await last_billed(store, date.fromisoformat(f"{chosen.month}-01"))
        if problem := publication_obstacle(
            chosen, member, is_board=who.is_board, runs=books.month_runs, last_booked=last_booked
        ):
            raise RequestError(problem)

        def sign(head: Head) -> Attestation:
            return _sign(PUBLICATION, chosen, books, member=member, at=at, head=head, key=key)

        await book_bills(store, chosen, books=books, terms=terms, at=at, key=key, publish=sign)
        return replace(chosen, published_at=at)

    return await retry_on_conflict(publish)


def _sign(kind: str, run: MonthRun, books: Books, *, member: str, at: int, head: Head, key: Signer) -> Attestation:
    content = {"member": member, "at": at}
    coop = books.coop.id
    return attest(content, kind=kind, subject=run.month, run_key=run.run_key, coop=coop, head=head, key=key)


async def find_member(store: MemberStore, member: str) -> Member:
    """The member with this id. Raises: RequestError."""
    found = await store.member(member)
    if found is None:
        raise RequestError(f"there is no member {member[:40]!r}")
    return found


def find_run(key: str, runs: Sequence[MonthRun]) -> MonthRun:
    """The month run with this key, or with a key that begins with this text. Raises: RequestError."""
    found = [run for run in runs if run.run_key.startswith(key)] if len(key) >= KEY_CHARS_LEAST else []
    if len(found) == 1:
        return found[0]
    if len(key) < KEY_CHARS_LEAST:
        raise RequestError(f"give at least {KEY_CHARS_LEAST} digits of the run's key")
    known = ", ".join(f"{run.kind} of {run.month} {run.run_key[:12]}" for run in runs[-4:]) or "none yet"
    raise RequestError(f"{'no' if not found else 'more than one'} run has the key {key[:64]!r}; newest: {known}")
