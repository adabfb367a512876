"""Which mail a member can choose, what each kind says and when, and whether the address takes mail."""

from collections.abc import Sequence
from dataclasses import dataclass

from hub.storage.notice_records import BOARD_KINDS, CHOSEN_KINDS, Bounce, NoticeChoice, NoticeKind
from hub.storage.records import Member
from hub.web.frame.translation import Localizer


@dataclass(frozen=True, slots=True)
class NoticeLine:
    """One kind of mail: its name in the form, what it is, and whether it is on; `by` says if the board entered that."""

    name: str
    what: str
    is_on: bool
    by: str


@dataclass(frozen=True, slots=True)
class NoticesPage:
    """The member's address, since when it refuses mail (or empty), and the kinds."""

    address: str
    refused: str
    lines: tuple[NoticeLine, ...]


def kinds_for(member: Member) -> tuple[NoticeKind, ...]:
    """The kinds this member can choose."""
    return (*CHOSEN_KINDS, *BOARD_KINDS) if member.is_board else CHOSEN_KINDS


def notices_page(
    member: Member, words: Localizer, *, choices: Sequence[NoticeChoice], bounces: Sequence[Bounce]
) -> NoticesPage:
    """The page for the member's own choices."""
    own = {each.kind: each for each in choices if each.member == member.id}
    refused = next((each.at for each in bounces if each.address == member.email.casefold()), None)
    return NoticesPage(
        address=member.email,
        refused="" if refused is None else words.moment(refused),
        lines=tuple(_line(kind, own.get(kind), words, me=member.id) for kind in kinds_for(member)),
    )


def _line(kind: NoticeKind, choice: NoticeChoice | None, words: Localizer, *, me: str) -> NoticeLine:
    by = ""
    if choice is not None and choice.made_by != me:
        by = words.text("The board entered this for you on %(when)s.", when=words.moment(choice.made_at))
    return NoticeLine(kind.value, _what(kind, words), choice is not None and choice.is_on, by)


def _what(kind: NoticeKind, words: Localizer) -> str:
    return {
        NoticeKind.STATEMENT: words.text("My statement of a month is ready or was corrected"),
        NoticeKind.DEBIT: words.text("Two weeks before the co-op collects from my bank account"),
        NoticeKind.SILENT: words.text("The hub has had no reading of my home for six hours"),
        NoticeKind.HOMES: words.text("For the board: a home is silent, or the clock of its agent is wrong"),
        NoticeKind.HUB: words.text(
            "For the board: the hub's disk is nearly full, a job fails, or a backup or certificate is old"
        ),
    }[kind]
