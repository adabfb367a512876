"""A statement as its PDF shows it: the text of the page in the order of a printed sheet, with days and hashes.

Every value comes from the signed statement; energy is exact to the watt-hour, so that it can be compared.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

from hub.core.ledger.signed_document import document_hash
from hub.core.statements.document import StatementFiles
from hub.web.frame.translation import NO_BREAK, Localizer
from hub.web.views.settlement.statement import StatementPage

Document = Mapping[str, Any]
TableRows = tuple[tuple[str, ...], ...]

HASH_SHOWN: Final = 16
DAY_COLUMNS: Final = ("demand", "received", "imported", "surplus", "sold", "exported")
COMMAND: Final = "python verify_statement.py statement.json readings.json pool.json \\\n  --hub-key {key}"


@dataclass(frozen=True, slots=True)
class SheetSection:
    """A heading with sentences, and lines with amounts on the right; with `total`, the last line is their sum."""

    name: str
    heads: tuple[str, ...] = ()
    rows: TableRows = ()
    words: tuple[str, ...] = ()
    small: tuple[str, ...] = ()
    total: bool = False


@dataclass(frozen=True, slots=True)
class Sheet:
    """A whole statement as text, ready for typesetting. `made_at` is the statement's own time in unix seconds."""

    language: str
    title: str
    coop: str
    member: str
    headline: str
    state: str
    lede: str
    notes: tuple[str, ...]
    made: str
    made_at: int
    is_billed: bool
    sections: tuple[SheetSection, ...]
    days: tuple[SheetSection, ...]
    check: SheetSection
    command: str
    hashes: tuple[tuple[str, str], ...]
    page_words: str

    def plain(self) -> dict[str, object]:
        """The sheet in the form that the template reads."""
        made = datetime.fromtimestamp(self.made_at, UTC)
        table = {name.replace("_", "-"): value for name, value in asdict(self).items()}
        check = {"name": self.check.name, "words": self.check.words, "command": self.command, "hashes": self.hashes}
        return table | {"check": check, "date": {"year": made.year, "month": made.month, "day": made.day}}


def statement_sheet(files: StatementFiles, view: StatementPage, words: Localizer) -> Sheet:
    """The sheet of the statement that `view` shows as a page."""
    statement: Document = files.statement
    made = datetime.fromisoformat(statement["made_at"])
    member = statement["member"]
    return Sheet(
        language=words.language,
        title=f"{view.headline}, {member['name']}, {statement['coop']['name']}",
        coop=statement["coop"]["name"],
        member=f"{member['name']} ({member['id']})",
        headline=view.headline,
        state=_state(view.state, words),
        lede=view.lede,
        notes=tuple(note for note in (view.state_words, view.missing, view.frozen, view.meter) if note),
        made=words.text("made %(moment)s", moment=words.dated(made.timestamp())),
        made_at=int(made.timestamp()),
        is_billed=view.state != "provisional",
        sections=tuple(_sections(statement, view, words)),
        days=(_days(statement, words), _money_days(statement, words)),
        check=SheetSection(words.text("Check it yourself"), words=_check_words(words)),
        command=COMMAND.format(key=files.hub_key),
        hashes=tuple(_hashes(files, words)),
        page_words=words.text("page %(page)s of %(pages)s", page="{page}", pages="{pages}"),
    )


def _state(state: str, words: Localizer) -> str:
    return {
        "provisional": words.text("Provisional, not a bill"),
        "billed": words.text("Billed"),
        "corrected": words.text("Corrected"),
        "final": words.text("Final"),
    }[state]


def _sections(statement: Document, view: StatementPage, words: Localizer) -> Iterator[SheetSection]:
    amount = words.text("Amount")
    energy = [
        (_frozen(each.label, each.frozen), exact_kwh(statement["totals"][each.name], words)) for each in view.energy
    ]
    yield SheetSection(words.text("Energy"), ("", amount), tuple(energy))
    cents = words.text("Cents are rounded so that all members' amounts add up; the ledger is exact.")
    money = tuple((_frozen(each.label, each.frozen), each.value) for each in view.money)
    yield SheetSection(words.text("Money"), ("", amount), money, small=(cents,))
    if view.payment:
        yield SheetSection(words.text("To pay or receive now"), ("", amount), view.payment, total=True)
    for bill in view.bills:
        table = bill.table
        yield SheetSection(bill.name, table.heads, table.rows, words=(bill.dated,), small=bill.about, total=True)
    if view.comparison:
        rows = tuple((each.label, each.value) for each in view.comparison)
        yield SheetSection(words.text("Compared with not sharing"), ("", amount), rows, words=(view.comparison_words,))
    if view.has_last:
        name = words.text("What has changed since the last statement")
        heads = ("", words.text("Before"), words.text("Now"))
        unchanged = () if view.changes else (words.text("None of your numbers has changed."),)
        yield SheetSection(name, heads, tuple((c.label, c.before, c.now) for c in view.changes), words=unchanged)


def _frozen(label: str, frozen: str) -> str:
    return f"{label} ({frozen})" if frozen else label


def _days(statement: Document, words: Localizer) -> SheetSection:
    heads = (words.text("Energy by day, kWh"), *_short_labels(words))
    rows = [
        (_day(each, words), *(_exact(each["totals"][name], words) for name in DAY_COLUMNS))
        for each in statement["days"]
    ]
    total = (words.text("Total"), *(_exact(statement["totals"][name], words) for name in DAY_COLUMNS))
    return SheetSection(words.text("Day by day"), heads, (*rows, total), total=True)


def _short_labels(words: Localizer) -> tuple[str, ...]:
    return (
        *(words.text("drawn"), words.text("from neighbours"), words.text("from the grid")),
        *(words.text("fed in"), words.text("to neighbours"), words.text("to the grid")),
    )


def _money_days(statement: Document, words: Localizer) -> SheetSection:
    """Exact amounts (only the month's total is rounded to cents), and each day's run and root."""
    names = ("debit", "credit", "benefit")
    named = (words.text("to pay"), words.text("to receive"), words.text("gained"))
    heads = (words.text("Money by day, %(currency)s", currency=words.currency), *named)
    rows = [
        (
            _day(each, words),
            *(exact_money(each["money"][f"{name}_nano"], words) for name in names),
            f"{each['run']['kind']} {each['run']['key'][:HASH_SHOWN]}",
            each["root"]["document"]["root"][:HASH_SHOWN],
        )
        for each in statement["days"]
    ]
    total = (words.text("Total"), *(exact_money(statement["money"][f"{name}_nano"], words) for name in names), "", "")
    cut = words.plural(
        "Run and root show only the first %(n)s digit; statement.json has them in full.",
        "Run and root show only the first %(n)s digits; statement.json has them in full.",
        HASH_SHOWN,
    )
    by = (words.text("run"), words.text("signed root"))
    return SheetSection(words.text("Money by day"), (*heads, *by), (*rows, total), small=(cut,), total=True)


def _day(day: Document, words: Localizer) -> str:
    return words.short_day(date.fromisoformat(day["day"]))


def exact_kwh(energy_wh: int, words: Localizer) -> str:
    """Energy to the watt-hour."""
    return f"{_exact(energy_wh, words)}{NO_BREAK}kWh"


def _exact(energy_wh: int, words: Localizer) -> str:
    return words.fraction(energy_wh, 3)


def exact_money(amount_nano: int | None, words: Localizer) -> str:
    """Money with every digit of the ledger; a dash if the rule has no price to compare with."""
    return "–" if amount_nano is None else words.fraction(amount_nano, 9)


def _check_words(words: Localizer) -> tuple[str, ...]:
    return (
        words.text(
            "This sheet shows the signed statement. You can download statement.json, readings.json, pool.json and the"
            " script verify_statement.py from the statement's page. With Python and the package cryptography, your own"
            " computer can recompute every number from your readings, without asking the co-op:"
        ),
    )


def _hashes(files: StatementFiles, words: Localizer) -> Iterator[tuple[str, str]]:
    yield words.text("SHA-256 of the statement in canonical form"), document_hash(files.statement)
    yield words.text("the hub's public key; your agent received the same key when it was enrolled"), files.hub_key
    for rule in sorted(files.statement["rules"]):  # type: ignore[call-overload]
        yield words.text("version of the rule"), rule
