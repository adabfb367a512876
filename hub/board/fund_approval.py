"""The board's decision on a fund run: two different members approve it, then it is paid or collected."""

from collections.abc import Sequence
from dataclasses import replace

from hub.board.run_approval import KEY_CHARS_LEAST, find_member
from hub.books.days import SettlementStores
from hub.books.retry import retry_on_conflict
from hub.books.signing import as_row
from hub.books.view import read_money_books
from hub.core.ledger.approvals import APPROVALS_NEEDED
from hub.core.ledger.attestations import APPROVAL, attest
from hub.core.ledger.fund_approvals import FundRunStatus, fund_approval_obstacle
from hub.core.ledger.signed_document import Signer
from protocols.errors import RequestError


def find_fund(run: str, funds: Sequence[FundRunStatus]) -> FundRunStatus | None:
    """The fund run with this key, or the only one whose key begins with this text; None if there is none."""
    found = [fund for fund in funds if fund.run_key.startswith(run)]
    return found[0] if len(found) == 1 and len(run) >= KEY_CHARS_LEAST else None


async def approve_fund(store: SettlementStores, *, run: str, member: str, at: int, key: Signer) -> FundRunStatus:
    """Add a board member's approval to the fund run with this key; returns the updated run.

    Raises: RequestError.
    """
    who = await find_member(store, member)

    async def approve() -> FundRunStatus:
        books = await read_money_books(store)
        fund = find_fund(run, books.fund_runs)
        if fund is None:
            raise RequestError(f"no fund run has the key {run[:64]!r}")
        if problem := fund_approval_obstacle(fund, member, is_board=who.is_board):
            raise RequestError(problem)
        signed = attest(
            {"member": member, "at": at},
            kind=APPROVAL,
            subject=fund.day,
            run_key=fund.run_key,
            coop=books.coop.id,
            head=books.attestation,
            key=key,
        )
        # If power fails before this commit, there is no approval, and it can be given again.
        await store.attest([as_row(signed)])
        approvals = (*fund.approvals, member)
        return replace(fund, approvals=approvals, is_due=len(approvals) >= APPROVALS_NEEDED)

    return await retry_on_conflict(approve)
