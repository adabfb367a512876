"""Opens a hub's folder for the commands that invite, one person or a list."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from hub.board.inviting import Invitation, Inviter, InviteWish, InvitingHub, check_person
from hub.folder.keys.salt_key import load_own_secret
from hub.folder.opening import open_hub
from hub.folder.settings import FILE_NAME
from protocols.errors import RequestError
from protocols.timeline import Clock


@asynccontextmanager
async def opened_inviter(folder: Path, *, clock: Clock, is_mailed: bool = False) -> AsyncIterator[Inviter]:
    """An inviter for the hub in this folder. Raises: CommonwattError if there is none, or if it cannot send mail."""
    settings, signer, store = await open_hub(folder, clock=clock, takes_rule=False)
    try:
        if is_mailed and settings.mail is None:
            raise RequestError(
                f"--mail: the hub sends no mail: enter a mail server under [mail] in {folder / FILE_NAME}"
            )
        hub = InvitingHub(store, signer.identity, load_own_secret(folder))
        yield Inviter(hub, tz=settings.coop.tz, now_s=int(clock.now()), is_mailed=is_mailed)
    finally:
        await store.close()


async def invite(folder: Path, wish: InviteWish, *, clock: Clock, is_mailed: bool = False) -> Invitation:
    """A new member with a home, or a new token for the home of the member who has this e-mail address.

    Raises: RequestError if an argument is wrong; then nothing was changed.
    """
    check_person(wish)
    async with opened_inviter(folder, clock=clock, is_mailed=is_mailed) as inviter:
        problem = await inviter.refusal(wish)
        if problem is None and wish.new_home_for is None:
            problem = await inviter.agent_refusal(wish)
        if problem is not None:
            raise RequestError(problem)
        return await inviter.invite(wish)
