"""The fairness report in plain words: the visitor's own figures, and those that all members may see."""

from dataclasses import asdict, dataclass
from datetime import date

from markupsafe import Markup

from hub.core.settlement.money import nearest_cent
from hub.core.settlement.pool_series import LEAST_HOMES
from hub.core.trials.fairness import (
    CLEAR_ERRORS,
    FairnessBand,
    FairnessShare,
    FairnessSummary,
    MemberFairness,
    whole_cents,
)
from hub.web.frame.charts import draw_amount
from hub.web.frame.translation import Localizer


@dataclass(frozen=True, slots=True)
class BandLines:
    """One group of homes: its name, and (label, amount, bar) of what they added and got."""

    name: str
    rows: tuple[tuple[str, str, Markup], ...]


@dataclass(frozen=True, slots=True)
class FairnessPage:
    headline: str
    lede: str
    own: tuple[tuple[str, str], ...]
    own_note: str
    whole: tuple[tuple[str, str], ...]
    counts: str
    bands: tuple[BandLines, ...]
    how: str
    seed: str
    left_out: str


def fairness_page(report: MemberFairness, words: Localizer) -> FairnessPage:
    """The page of the member's own report."""
    own, summary = report.own, report.summary
    value_cent, (got_cent, margin_cent, unshared_cent) = whole_cents(
        summary.value_nano, (summary.got_nano, summary.margin_nano, summary.unshared_nano)
    )
    return FairnessPage(
        headline=words.text("You took no part on these days") if own is None else _headline(own, words),
        lede=_lede(report, words),
        own=() if own is None else _own_rows(own, words),
        own_note="" if own is None else _own_note(own, words),
        whole=(
            (words.text("Sharing was worth at most"), words.cents(value_cent)),
            (words.text("Members got"), words.cents(got_cent)),
            (words.text("The co-op kept"), words.cents(margin_cent)),
            (words.text("Left unshared by the rule"), words.cents(unshared_cent)),
        ),
        counts=_counts(summary, words),
        bands=tuple(_bands(summary.bands, words)),
        how=_how(summary, words),
        seed=str(report.seed) if summary.orders else "",
        left_out=words.plural(
            "%(n)s day of this period is left out, because it is not settled or was corrected for a few homes.",
            "%(n)s days of this period are left out, because they are not settled or were corrected for a few homes.",
            report.left_out,
        )
        if report.left_out
        else "",
    )


def _money(amount_nano: int, words: Localizer) -> str:
    return words.cents(nearest_cent(amount_nano))


def _lede(report: MemberFairness, words: Localizer) -> str:
    first, last = (words.full_day(date.fromisoformat(day)) for day in (report.first_day, report.last_day))
    if date.fromisoformat(report.last_day).month < 12:
        return words.plural(
            "The year so far: %(first)s to %(last)s, %(n)s home.",
            "The year so far: %(first)s to %(last)s, %(n)s homes.",
            report.summary.homes,
            first=first,
            last=last,
        )
    return words.plural(
        "%(first)s to %(last)s, %(n)s home.",
        "%(first)s to %(last)s, %(n)s homes.",
        report.summary.homes,
        first=first,
        last=last,
    )


def _is_even(own: FairnessShare) -> bool:
    return not own.is_clear or _difference_cent(own) == 0


def _difference_cent(own: FairnessShare) -> int:
    """The difference of the two amounts shown."""
    return nearest_cent(own.got_nano) - nearest_cent(own.value_nano)


def _headline(own: FairnessShare, words: Localizer) -> str:
    if _is_even(own):
        return words.text("You got what you added")
    amount = words.cents(abs(_difference_cent(own)))
    if _difference_cent(own) > 0:
        return words.text("You got %(amount)s more than you added", amount=amount)
    return words.text("You got %(amount)s less than you added", amount=amount)


def _own_rows(own: FairnessShare, words: Localizer) -> tuple[tuple[str, str], ...]:
    got_cent = nearest_cent(own.got_nano)
    return (
        (words.text("You added to the value of sharing"), _money(own.value_nano, words)),
        (words.text("You lost by the rule"), words.cents(-got_cent))
        if got_cent < 0
        else (words.text("You gained from the rule"), words.cents(got_cent)),
    )


def _own_note(own: FairnessShare, words: Localizer) -> str:
    if not own.error_nano:
        return ""
    error = words.money(CLEAR_ERRORS * own.error_nano)
    return words.text("Estimated from a sample: what you added could be off by %(error)s.", error=error)


def _counts(summary: FairnessSummary, words: Localizer) -> str:
    more, less = summary.got_more_than_added, summary.got_less_than_added
    if more is None or less is None:
        return words.plural(
            "How many homes got clearly more or less is not shown: one side has fewer than %(n)s home.",
            "How many homes got clearly more or less is not shown: one side has fewer than %(n)s homes.",
            LEAST_HOMES,
        )
    return words.sentences(
        words.plural(
            "%(n)s home got clearly more than it added.", "%(n)s homes got clearly more than they added.", more
        ),
        words.plural(
            "%(n)s home got clearly less than it added.", "%(n)s homes got clearly less than they added.", less
        ),
    )


def _bands(bands: tuple[FairnessBand, ...], words: Localizer) -> list[BandLines]:
    whole = max([1, *(max(band.value_nano, band.got_nano) for band in bands)])
    lines = []
    for at, band in enumerate(bands):
        rows = (
            (
                words.text("added"),
                _money(band.value_nano, words),
                draw_amount(band.value_nano, whole, kind="made"),
            ),
            (
                words.text("got"),
                _money(band.got_nano, words),
                draw_amount(band.got_nano, whole, kind="used"),
            ),
        )
        lines.append(BandLines(_band_name(band.homes, words, at=at, of=len(bands)), rows))
    return lines


def _band_name(homes: int, words: Localizer, *, at: int, of: int) -> str:
    if of == 1:
        return words.plural("%(n)s home", "All %(n)s homes", homes)
    if at == 0:
        return words.plural("The home that added least", "The %(n)s homes that added least", homes)
    if at == of - 1:
        return words.plural("The home that added most", "The %(n)s homes that added most", homes)
    return words.plural("%(n)s home in between", "%(n)s homes in between", homes)


def _how(summary: FairnessSummary, words: Localizer) -> str:
    if not summary.orders:
        return words.text("Every group of homes was calculated, so the result does not depend on chance.")
    return words.sentences(
        words.plural(
            "%(n)s order of joining was drawn at random.",
            "%(n)s orders of joining were drawn at random.",
            summary.orders,
        ),
        words.text(
            "The random numbers start from a seed that comes from the readings, so nobody chose it, and the same"
            " readings always give the same report."
        ),
    )


def fairness_json(report: MemberFairness) -> dict[str, object]:
    """The member's own report for programs."""
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
