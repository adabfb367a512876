"""The notice that brings a home's invitation to its member; the token stays sealed until the mail is written."""

from hub.notices.sealing import SecretSeal
from hub.storage.notice_records import NewNotice, NoticeKind
from hub.storage.records import Home, Member


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
