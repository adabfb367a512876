"""The notice that brings a home's invitation to its member, and the line that installs the agent.

The token stays sealed until the mail is written.
"""

from pathlib import Path

from hub.folder.agents_address import agents_address
from hub.folder.settings import HubSettings
from hub.notices.sealing import SecretSeal
from hub.storage.notice_records import NewNotice, NoticeKind
from hub.storage.records import Home, Member
from hub.trust.agent_packages import InstallLine, find_agent_packages, install_lines


def invitation_notice(seal: SecretSeal, member: Member, home: Home, *, token: str, mark: str, until: int) -> NewNotice:
    """`mark` tells one invitation of the home from another; `until` is when the token ends."""
    kind, about = NoticeKind.INVITATION, f"{home.id} {mark}"
    return NewNotice(
        kind=kind,
        member=member.id,
        about=about,
        last_try_at=until,
        facts={"home": home.name, "until": str(until)},
        secret=seal.seal(token, place=(kind.value, member.id, about)),
    )


def agent_install_lines(folder: Path, settings: HubSettings) -> list[InstallLine]:
    """How homes elsewhere install the agent; nothing if this hub has no packages or serves this computer only."""
    address = agents_address(settings)
    if address is None or not address.startswith("https://"):
        return []
    return install_lines(find_agent_packages(folder), url=address)
