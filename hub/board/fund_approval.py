"""The board's word on a run of the co-op's funds: two different members approve it, then it is paid or collected."""

from hub.board.run_approval import KEY_CHARS_LEAST
from hub.books.days import TRIES, SettlementStores
from hub.books.signing import as_row, attestation_head
from hub.core.ledger.attestations import APPROVAL, attest
from hub.core.ledger.fund_approvals import FundRunStatus, fund_approval_obstacle
from hub.core.ledger.signed_document import Signer
from hub.money.orders import fund_run_statuses
from hub.storage.errors import StoreConflictError
from protocols.errors import RequestError


async def find_fund(store: SettlementStores, run: str) -> FundRunStatus | None:
    """The fund's run with this key, or with the only key that begins so; None where there is none."""
    found = [word for word in await fund_run_statuses(store) if word.run_key.startswith(run)]
    return found[0] if len(found) == 1 and len(run) >= KEY_CHARS_LEAST else None


async def approve_fund(store: SettlementStores, *, run: str, member: str, at: int, key: Signer) -> FundRunStatus:
    """Add a board member's approval to the fund's run with this key; the run as it is then. Raises: RequestError."""
    who = await store.member(member)
    if who is None:
        raise RequestError(f"there is no member {member[:40]!r}")
    for attempt in range(TRIES):
        head = await attestation_head(store)
        word = await find_fund(store, run)
        if word is None:
            raise RequestError(f"no fund's run has the key {run[:64]!r}")
        if problem := fund_approval_obstacle(word, member, is_board=who.is_board):
            raise RequestError(problem)
        content, coop = {"member": member, "at": at}, (await store.coop()).id
        said = attest(content, kind=APPROVAL, subject=word.day, run_key=word.run_key, coop=coop, head=head, key=key)
        try:
            # If power fails before this commit the word was not given, and may be given again.
            await store.attest([as_row(said)])
        except StoreConflictError:
            if attempt == TRIES - 1:
                raise
            continue
        return next(each for each in await fund_run_statuses(store) if each.run_key == word.run_key)
    raise AssertionError("unreachable")
