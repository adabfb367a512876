"""The result of trying a rule: what the visitor would have gained or lost, and the totals that all members may see."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date
from typing import Final

from hub.core.rules.country_presets import PRESETS
from hub.core.rules.rulebook import METHODS
from hub.core.settlement.money import nearest_cent
from hub.core.settlement.pool_series import LEAST_HOMES
from hub.core.trials.what_if import MemberComparison, MemberTrial, TrialSummary
from hub.web.frame.charts import ChartTable
from hub.web.frame.translation import Localizer
from hub.web.views.settlement.month_numbers import MonthNumbers
from hub.web.views.settlement.month_words import labels, named_amount
from hub.web.views.settlement.statement import method_words

PPM: Final = 1_000_000

Options = tuple[tuple[str, tuple[tuple[str, str, bool], ...]], ...]
"""(group, ((value, label, whether it is chosen), ...))."""


@dataclass(frozen=True, slots=True)
class TrialPage:
    """The page of a trial. A table is None if there is nothing to show; `hidden` says why."""

    headline: str
    lede: str
    own_table: ChartTable | None
    whole: ChartTable | None
    homes: str
    hidden: str
    sides: str
    left_out: str
    beside_statement: str


def rule_options(words: Localizer, *, chosen: str) -> Options:
    """The rules a member can choose from, in two groups."""
    methods = tuple((method, _first_upper(method_words(method, words)), method == chosen) for method in METHODS)
    presets = tuple((preset.id, preset.name, preset.id == chosen) for preset in PRESETS)
    return ((words.text("Ways of sharing"), methods), (words.text("Rules used in a country"), presets))


def trial_page(trial: MemberTrial, words: Localizer, *, month: date, stated: MonthNumbers | None = None) -> TrialPage:
    """The page of the member's own result; `stated` are the numbers of the member's statement for the month."""
    named = words.month(month)
    own, current, tried = trial.own, trial.current, trial.alternative
    is_shown = tried.shared_wh is not None
    return TrialPage(
        headline=words.text("You took no part in %(month)s", month=named) if own is None else _headline(own, words),
        lede=words.text(
            "%(month)s. Tried rule: %(tried)s. Actual rule: %(current)s.",
            month=named,
            tried=method_words(tried.method, words),
            current=method_words(current.method, words),
        ),
        own_table=None if own is None else _own_table(own, words),
        whole=_whole_table(current, tried, words) if is_shown else None,
        homes=words.plural("%(n)s home alone", "All %(n)s homes together", tried.homes),
        hidden="" if is_shown else _too_few(tried.homes, words),
        sides=_sides(tried, words) if is_shown else "",
        left_out=words.plural(
            "%(n)s day of the month is left out, because it is not settled or was corrected for a few homes.",
            "%(n)s days of the month are left out, because they are not settled or were corrected for a few homes.",
            trial.left_out,
        )
        if trial.left_out
        else "",
        beside_statement="" if own is None or stated is None else _beside_statement(own, stated, words),
    )


def _money(amount_nano: int, words: Localizer) -> str:
    return words.cents(nearest_cent(amount_nano))


def _headline(own: MemberComparison, words: Localizer) -> str:
    """The difference of the two amounts in the table, as shown there."""
    gain_cent = nearest_cent(own.alternative.benefit_nano) - nearest_cent(own.current.benefit_nano)
    if gain_cent == 0:
        return words.text("Nothing would have changed for you")
    amount = words.cents(abs(gain_cent))
    if gain_cent > 0:
        return words.text("You would have gained %(amount)s more", amount=amount)
    return words.text("You would have gained %(amount)s less", amount=amount)


def _heads(words: Localizer) -> tuple[str, str, str]:
    return (words.text("Amount"), words.text("Actual rule"), words.text("Tried rule"))


def _own_table(own: MemberComparison, words: Localizer) -> ChartTable:
    current, tried, names = own.current, own.alternative, labels(words)
    rows = (
        (names["received"], words.exact_kwh(current.received_wh), words.exact_kwh(tried.received_wh)),
        (names["sold"], words.exact_kwh(current.sold_wh), words.exact_kwh(tried.sold_wh)),
        _benefit_row(nearest_cent(current.benefit_nano), nearest_cent(tried.benefit_nano), words),
    )
    return ChartTable(_heads(words), rows)


def _benefit_row(current_cent: int, tried_cent: int, words: Localizer) -> tuple[str, str, str]:
    """What sharing gained under each rule; a loss is called one and has no minus."""
    if max(current_cent, tried_cent) < 0:
        return named_amount("benefit", -1, words)[0], words.cents(-current_cent), words.cents(-tried_cent)
    current, tried = (
        words.cents(cents) if cents >= 0 else words.text("%(amount)s lost", amount=words.cents(-cents))
        for cents in (current_cent, tried_cent)
    )
    return labels(words)["benefit"], current, tried


def _beside_statement(own: MemberComparison, stated: MonthNumbers, words: Localizer) -> str:
    """What the statement says, if the actual rule's numbers differ from it, and why; empty if they are the same."""
    now = (own.current.received_wh, own.current.sold_wh, nearest_cent(own.current.benefit_nano))
    energy, benefit_cent = stated.energy_wh, stated.cents["benefit"]
    if now == (energy["received"], energy["sold"], benefit_cent):
        return ""
    name, amount = named_amount("benefit", benefit_cent, words)
    return words.text(
        "Your statement differs, because this trial leaves out or adds days and corrections: there you received"
        " %(received)s and gave %(given)s; %(name)s: %(amount)s.",
        received=words.exact_kwh(energy["received"]),
        given=words.exact_kwh(energy["sold"]),
        name=name,
        amount=amount,
    )


def _whole_table(current: TrialSummary, tried: TrialSummary, words: Localizer) -> ChartTable:
    rows = (
        (words.text("Shared among neighbours"), *(_kwh(each.shared_wh, words) for each in (current, tried))),
        (
            words.text("Surplus that neighbours used"),
            *(_share(each.self_consumption_ppm, words) for each in (current, tried)),
        ),
        (words.text("Demand that neighbours met"), *(_share(each.coverage_ppm, words) for each in (current, tried))),
        (
            words.text("Inequality of energy received"),
            *(_gini(each.gini_received_ppm, words) for each in (current, tried)),
        ),
        (words.text("Inequality of money gained"), *(_gini(each.gini_benefit_ppm, words) for each in (current, tried))),
        (
            words.text("Homes better off without sharing"),
            *(words.number(each.worse_off_than_alone or 0) for each in (current, tried)),
        ),
        (
            words.text("Kept by the co-op"),
            *(_money(each.margin_nano or 0, words) for each in (current, tried)),
        ),
    )
    return ChartTable(_heads(words), rows)


def _sides(tried: TrialSummary, words: Localizer) -> str:
    """How many would gain and lose; average amounts only if each covers at least five homes."""
    return words.sentences(*_side_sentences(tried, words))


def _side_sentences(tried: TrialSummary, words: Localizer) -> Iterator[str]:
    gainers, losers = tried.gainers or 0, tried.losers or 0
    if not gainers and not losers:
        yield words.text("No home would gain or lose.")
        return
    yield words.plural("%(n)s home would gain.", "%(n)s homes would gain.", gainers)
    yield words.plural("%(n)s home would lose.", "%(n)s homes would lose.", losers)
    means = [mean for mean in (tried.gain_of_gainers_nano, tried.gain_of_losers_nano) if mean is not None]
    if tried.gain_of_gainers_nano is not None:
        yield words.text(
            "Homes that gain get %(mean)s more on average.", mean=_money(tried.gain_of_gainers_nano, words)
        )
    if tried.gain_of_losers_nano is not None:
        yield words.text(
            "Homes that lose get %(mean)s less on average.", mean=_money(-tried.gain_of_losers_nano, words)
        )
    if not means:
        yield words.plural(
            "The amounts are not shown, because one side has fewer than %(n)s home.",
            "The amounts are not shown, because one side has fewer than %(n)s homes.",
            LEAST_HOMES,
        )


def _too_few(homes: int, words: Localizer) -> str:
    return words.sentences(
        words.plural(
            "Totals appear once at least %(n)s home takes part and as many feed in, none of them nearly everything, so"
            " that they reveal nobody's figures.",
            "Totals appear once at least %(n)s homes take part and as many feed in, none of them nearly everything, so"
            " that they reveal nobody's figures.",
            LEAST_HOMES,
        ),
        words.plural("Here it was %(n)s home.", "Here it was %(n)s homes.", homes),
    )


def _kwh(energy_wh: int | None, words: Localizer) -> str:
    return words.kwh(energy_wh or 0)


def _share(ppm: int | None, words: Localizer) -> str:
    return "–" if ppm is None else words.percent(ppm / PPM)


def _gini(ppm: int | None, words: Localizer) -> str:
    return "–" if ppm is None else words.number(ppm / PPM, 2)


def _first_upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def trial_json(trial: MemberTrial) -> dict[str, object]:
    """The member's own result for programs."""
    own = trial.own
    return {
        "days": trial.days,
        "days_left_out": trial.left_out,
        "stood": asdict(trial.current),
        "tried": asdict(trial.alternative),
        "own": None
        if own is None
        else {
            "stood": asdict(own.current) | {"benefit_nano": own.current.benefit_nano},
            "tried": asdict(own.alternative) | {"benefit_nano": own.alternative.benefit_nano},
            "gain_nano": own.gain_nano,
        },
    }
