"""The fairness report in plain words: the visitor's own row, and what all may see of everybody."""

from dataclasses import asdict, dataclass
from datetime import date
from typing import Final

from markupsafe import Markup

from hub.core.settlement.pool_series import LEAST_HOMES
from hub.core.trials.fairness import CLEAR_ERRORS, FairnessBand, FairnessShare, FairnessSummary, MemberFairness
from hub.web.frame.charts import draw_amount
from hub.web.frame.translation import Localizer

HALF_CENT_NANO: Final = 5_000_000


@dataclass(frozen=True, slots=True)
class BandLines:
    """One band of homes: its name, and (words, amount, bar) of what they added and got."""

    name: str
    rows: tuple[tuple[str, str, Markup], ...]


@dataclass(frozen=True, slots=True)
class FairnessPage:
    headline: str
    lede: str
    own: tuple[tuple[str, str], ...]
    own_words: str
    whole: tuple[tuple[str, str], ...]
    counts: str
    bands: tuple[BandLines, ...]
    how: str
    seed: str
    left_out: str


def fairness_page(report: MemberFairness, words: Localizer) -> FairnessPage:
    """The page of the member's own view."""
    own, summary = report.own, report.summary
    return FairnessPage(
        headline=words.say("You had no part in these days") if own is None else _headline(own, words),
        lede=_lede(report, words),
        own=() if own is None else _own_rows(own, words),
        own_words="" if own is None else _own_words(own, words),
        whole=(
            (words.say("Sharing was worth, at most"), words.money(summary.value_nano)),
            (words.say("Members got of it"), words.money(summary.got_nano)),
            (words.say("The co-op kept"), words.money(summary.margin_nano)),
            (words.say("The rule left to the grid"), words.money(summary.unshared_nano)),
        ),
        counts=_counts(summary, words),
        bands=tuple(_bands(summary.bands, words)),
        how=_how(summary, words),
        seed=str(report.seed) if summary.orders else "",
        left_out=words.count(
            "%(n)s day between them is not settled and left out.",
            "%(n)s days between them are not settled and left out.",
            report.left_out,
        )
        if report.left_out
        else "",
    )


def _lede(report: MemberFairness, words: Localizer) -> str:
    first, last = (date.fromisoformat(day) for day in (report.first_day, report.last_day))
    named = {"first": words.full_day(first), "last": words.full_day(last), "n": words.number(report.summary.homes)}
    if last.month < 12:
        return words.say("The year so far: %(first)s to %(last)s, %(n)s homes.", **named)
    return words.say("%(first)s to %(last)s, %(n)s homes.", **named)


def _is_even(own: FairnessShare) -> bool:
    return not own.is_clear or abs(own.difference_nano) < HALF_CENT_NANO


def _headline(own: FairnessShare, words: Localizer) -> str:
    if _is_even(own):
        return words.say("You got what you added")
    amount = words.money(abs(own.difference_nano))
    if own.difference_nano > 0:
        return words.say("You got %(amount)s more than you added", amount=amount)
    return words.say("You got %(amount)s less than you added", amount=amount)


def _own_rows(own: FairnessShare, words: Localizer) -> tuple[tuple[str, str], ...]:
    return (
        (words.say("You added to what sharing was worth"), words.money(own.value_nano)),
        (words.say("You gained by the rule"), words.money(own.got_nano)),
    )


def _own_words(own: FairnessShare, words: Localizer) -> str:
    if not own.error_nano:
        return ""
    error = words.money(CLEAR_ERRORS * own.error_nano)
    return words.say("What you added is known give or take %(error)s: it is worked out from a sample.", error=error)


def _counts(summary: FairnessSummary, words: Localizer) -> str:
    more, less = summary.got_more_than_added, summary.got_less_than_added
    if more is None or less is None:
        return words.say(
            "How many homes got clearly more or less is not shown: fewer than %(least)s homes stand on one side.",
            least=words.number(LEAST_HOMES),
        )
    gave = words.count(
        "%(n)s home got clearly more than it added,", "%(n)s homes got clearly more than they added,", more
    )
    took = words.count("%(n)s clearly less.", "%(n)s clearly less.", less)
    return f"{gave} {took}"


def _bands(bands: tuple[FairnessBand, ...], words: Localizer) -> list[BandLines]:
    whole = max([1, *(max(band.value_nano, band.got_nano) for band in bands)])
    lines = []
    for at, band in enumerate(bands, start=1):
        if at == 1 and len(bands) > 1:
            name = words.say("The %(n)s homes that added least", n=words.number(band.homes))
        elif at == len(bands) > 1:
            name = words.say("The %(n)s homes that added most", n=words.number(band.homes))
        else:
            name = words.say("%(n)s homes between them", n=words.number(band.homes))
        if len(bands) == 1:
            name = words.say("All %(n)s homes", n=words.number(band.homes))
        rows = (
            (words.say("added"), words.money(band.value_nano), draw_amount(band.value_nano, whole, kind="made")),
            (words.say("got"), words.money(band.got_nano), draw_amount(band.got_nano, whole, kind="used")),
        )
        lines.append(BandLines(name, rows))
    return lines


def _how(summary: FairnessSummary, words: Localizer) -> str:
    if not summary.orders:
        return words.say("Every group of homes was counted, so no chance is in it.")
    return words.say(
        "%(n)s orders of joining were drawn by chance. The draw begins from a number that comes from the readings"
        " themselves, so nobody chose it, and the same readings give the same report.",
        n=words.number(summary.orders),
    )


def fairness_json(report: MemberFairness) -> dict[str, object]:
    """The member's own view for programs."""
    own = report.own
    return {
        "first_day": report.first_day,
        "last_day": report.last_day,
        "days": report.days,
        "days_left_out": report.left_out,
        "seed": report.seed,
        **asdict(report.summary),
        "own": None
        if own is None
        else {"value_nano": own.value_nano, "error_nano": own.error_nano, "got_nano": own.got_nano},
    }
