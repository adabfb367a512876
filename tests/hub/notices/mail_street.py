"""Three members in a store of their own, a clock that is set by hand, and the job that mails them."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.folder.mail_settings import MailSettings
from hub.notices.invitation_mail import invitation_notice
from hub.notices.sealing import SecretSeal
from hub.notices.sending import MailJob
from hub.notices.writing import MailWriter
from hub.storage.records import Coop, Home, Member
from hub.storage.sqlite.store import SqliteStore
from hub.trust.agent_packages import InstallLine
from protocols.enrolment.token import EnrolToken, token_text

SECRET = b"hub secret".ljust(32, b".")
COOP = Coop("sunny", "Sunny Street", "Europe/Madrid", "EUR")
PAGES = "https://hub.sunny.example"
START_S = 1_790_000_000
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
NAMES = ("Ana", "Ben", "Zoë")


@dataclass
class HandClock:
    """Time that stands still until a test moves it."""

    now_s: float = START_S

    def now(self) -> float:
        return self.now_s

    async def sleep_until(self, at_s: float) -> None:
        self.now_s = max(self.now_s, at_s)


@dataclass
class MailStreet:
    store: SqliteStore
    clock: HandClock
    whole: Callable[[str], str | None] = lambda _: None
    install: Callable[[], Sequence[InstallLine]] = tuple
    seal: SecretSeal = field(default_factory=lambda: SecretSeal(SECRET))

    async def invite(self, member: str = "m03", *, number: int = 1, until: int = START_S + 86_400) -> str:
        """Queue an invitation for the member's home, which voids earlier ones; its token."""
        found, home = await self.store.member(member), await self.store.home_of(member)
        assert found is not None
        assert home is not None
        token = EnrolToken(bytes([number]) * 16, bytes(10))
        await self.store.add_invite(token.id, home_id=home.id, expires_at=until)
        mark = token.id.hex()[:16]
        notice = invitation_notice(self.seal, found, home, token=token_text(token), mark=mark, until=until)
        assert await self.store.add_notices([notice]) == 1
        assert await self.store.add_notices([notice]) == 0, "the same notice is queued once"
        return token_text(token)

    def job(self, settings: MailSettings) -> MailJob:
        writer = MailWriter(
            self.store, coop=COOP, seal=self.seal, pages=lambda: PAGES, whole=self.whole, install=self.install
        )
        return MailJob(self.store, settings=settings, coop_name=COOP.name, writer=writer, clock=self.clock)

    async def queue(self) -> list[tuple[str, str, int]]:
        """Kind, state and tries of all notices."""
        return [(each.kind.value, each.state.value, each.tries) for each in await self.store.notices(since=0, most=99)]


@asynccontextmanager
async def mail_street(folder: Path, clock: HandClock | None = None) -> AsyncIterator[MailStreet]:
    """The street; m01 is on the board."""
    clock = HandClock() if clock is None else clock
    is_new = not (folder / "hub.sqlite").exists()
    store = await SqliteStore.open(folder / "hub.sqlite", now=clock.now, create=is_new)
    try:
        if is_new:
            await store.set_coop(COOP)
            for number, name in enumerate(NAMES, 1):
                member = Member(
                    f"m{number:02d}", name, f"{name[0].lower()}@example.org", "en", number == 1, START_S - 9
                )
                await store.add_member(member, Home(f"h{number:02d}", f"Home {number}", member.id))
        yield MailStreet(store, clock)
    finally:
        await store.close()
