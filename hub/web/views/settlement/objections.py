"""Objections as pages show them: to the member who made them, and to the board, which decides."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date

from hub.core.ledger.objections import ACCEPTED, ENERGY_LINES, LINES
from hub.core.settlement.money import CENT_NANO, nearest_cent
from hub.storage.records import Member, ObjectionRow
from hub.web.frame.translation import Localizer
from hub.web.views.settlement.month_numbers import MonthNumbers
from hub.web.views.settlement.month_words import labels


@dataclass(frozen=True, slots=True)
class ObjectionLine:
    """One objection in words. `state` is open, overdue, accepted or rejected."""

    id: int
    who: str
    what: str
    amount: str
    reason: str
    made: str
    state: str
    state_words: str
    decision: str
    address: str
    may_decide: bool


def objection_lines(
    rows: Sequence[ObjectionRow], words: Localizer, *, members: Sequence[Member], own: Collection[str], now_s: float
) -> tuple[ObjectionLine, ...]:
    """Undecided objections first, by deadline, then the decided ones, newest first."""
    names = {member.id: member.name for member in members}
    waiting = sorted((row for row in rows if row.verdict is None), key=lambda row: (row.due_at, row.id))
    decided = sorted((row for row in rows if row.verdict is not None), key=lambda row: -row.id)
    return tuple(_line(row, words, names=names, own=own, now_s=now_s) for row in (*waiting, *decided))


def amount_words(line: str, stated: int, words: Localizer) -> str:
    """The amount of a statement line, with the same text as in the statement."""
    return words.exact_kwh(stated) if line in ENERGY_LINES else words.cents(nearest_cent(stated))


def shown_amount(numbers: MonthNumbers, *, day: str, line: str) -> int | None:
    """The amount that the statement shows on this line for a day, or for the month if `day` is empty; None if none.

    Units: Wh for energy, nano-currency in whole cents for money.
    """
    part = numbers if not day else next((each for each in numbers.days if each.day == day), None)
    if part is None or line not in LINES:
        return None
    if line in ENERGY_LINES:
        return part.energy_wh[line]
    cents = part.cents[line]
    return None if cents is None else cents * CENT_NANO


def place_words(month: str, day: str, words: Localizer) -> str:
    """The day or month that the objection is about."""
    return words.day(date.fromisoformat(day)) if day else words.month(date.fromisoformat(f"{month}-01"))


def _line(
    row: ObjectionRow, words: Localizer, *, names: Mapping[str, str], own: Collection[str], now_s: float
) -> ObjectionLine:
    state = row.verdict or ("overdue" if now_s > row.due_at else "open")
    what = words.text("%(line)s, %(place)s", line=labels(words)[row.line], place=place_words(row.month, row.day, words))
    return ObjectionLine(
        id=row.id,
        who=names.get(row.member, row.member),
        what=what,
        amount=amount_words(row.line, row.stated, words),
        reason=row.reason,
        made=words.moment(row.made_at),
        state=state,
        state_words=_state_words(row, state, words),
        decision=_decision(row, names, words),
        address=f"/credits/statement/{row.month}" + (f"/{row.day}" if row.day else ""),
        may_decide=row.verdict is None and row.member not in own,
    )


def _state_words(row: ObjectionRow, state: str, words: Localizer) -> str:
    due = words.moment(row.due_at)
    return {
        "open": words.text("frozen, decision due by %(moment)s", moment=due),
        "overdue": words.text("frozen, decision overdue since %(moment)s", moment=due),
        "accepted": words.text("accepted: a later run corrects it"),
        "rejected": words.text("rejected: the amount does not change"),
    }[state]


def _decision(row: ObjectionRow, names: Mapping[str, str], words: Localizer) -> str:
    if row.board_member is None or row.decided_at is None or row.decision is None:
        return ""
    who, when = names.get(row.board_member, row.board_member), words.moment(row.decided_at)
    if row.verdict == ACCEPTED:
        return words.text("%(who)s accepted it on %(when)s: %(why)s", who=who, when=when, why=row.decision)
    return words.text("%(who)s rejected it on %(when)s: %(why)s", who=who, when=when, why=row.decision)


def objection_json(row: ObjectionRow) -> dict[str, object]:
    """One objection for programs."""
    return asdict(row) | {"unit": "Wh" if row.line in ENERGY_LINES else "nano"}
