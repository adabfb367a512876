"""A rule tried, in words: what the visitor would have gained or lost, and what all may see of everybody."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date
from typing import Final

from hub.core.rules.country_presets import PRESETS
from hub.core.rules.rulebook import METHODS
from hub.core.settlement.pool_series import LEAST_HOMES
from hub.core.trials.what_if import MemberComparison, MemberTrial, TrialSummary
from hub.web.frame.charts import ChartTable
from hub.web.frame.translation import NANO_PER_UNIT, Localizer
from hub.web.views.settlement.statement import method_words

PPM: Final = 1_000_000
HALF_CENT_NANO: Final = NANO_PER_UNIT // 200

Options = tuple[tuple[str, tuple[tuple[str, str, bool], ...]], ...]
"""(group, ((value, words, whether it is chosen), ...))."""


@dataclass(frozen=True, slots=True)
class TrialPage:
    """The page of a trial. `own` and `all` are tables; empty where there is nothing to show, with the reason."""

    headline: str
    lede: str
    own_table: ChartTable | None
    whole: ChartTable | None
    homes: str
    hidden: str
    sides: str
    left_out: str


def rule_options(words: Localizer, *, chosen: str) -> Options:
    """The rules to choose from, in two groups."""
    methods = tuple((method, _first_upper(method_words(method, words)), method == chosen) for method in METHODS)
    presets = tuple((preset.id, preset.name, preset.id == chosen) for preset in PRESETS)
    return ((words.say("Ways of sharing"), methods), (words.say("As it is done in a country"), presets))


def trial_page(trial: MemberTrial, words: Localizer, *, month: date) -> TrialPage:
    """The page of the member's own view."""
    named = words.month(month)
    own, stood, tried = trial.own, trial.current, trial.alternative
    is_shown = tried.shared_wh is not None
    return TrialPage(
        headline=words.say("You had no part in %(month)s", month=named) if own is None else _headline(own, words),
        lede=words.say(
            "%(month)s. Tried: %(tried)s. As it was: %(stood)s.",
            month=named,
            tried=method_words(tried.method, words),
            stood=method_words(stood.method, words),
        ),
        own_table=None if own is None else _own_table(own, words),
        whole=_whole_table(stood, tried, words) if is_shown else None,
        homes=words.count("%(n)s home", "All %(n)s homes together", tried.homes),
        hidden="" if is_shown else _too_few(tried.homes, words),
        sides=_sides(tried, words) if is_shown else "",
        left_out=words.count(
            "%(n)s day of the month is not settled and left out.",
            "%(n)s days of the month are not settled and left out.",
            trial.left_out,
        )
        if trial.left_out
        else "",
    )


def _headline(own: MemberComparison, words: Localizer) -> str:
    if abs(own.gain_nano) < HALF_CENT_NANO:
        return words.say("Nothing would have changed for you")
    amount = words.money(abs(own.gain_nano))
    if own.gain_nano > 0:
        return words.say("You would have gained %(amount)s more", amount=amount)
    return words.say("You would have gained %(amount)s less", amount=amount)


def _heads(words: Localizer) -> tuple[str, str, str]:
    return (words.say("What"), words.say("As it was"), words.say("Tried"))


def _own_table(own: MemberComparison, words: Localizer) -> ChartTable:
    stood, tried = own.current, own.alternative
    rows = (
        (words.say("Got from neighbours"), words.kwh(stood.received_wh), words.kwh(tried.received_wh)),
        (words.say("Given to neighbours"), words.kwh(stood.sold_wh), words.kwh(tried.sold_wh)),
        (words.say("Gained by sharing"), words.money(stood.benefit_nano), words.money(tried.benefit_nano)),
    )
    return ChartTable(_heads(words), rows)


def _whole_table(stood: TrialSummary, tried: TrialSummary, words: Localizer) -> ChartTable:
    rows = (
        (words.say("Shared among neighbours"), *(_kwh(each.shared_wh, words) for each in (stood, tried))),
        (
            words.say("Surplus that neighbours used"),
            *(_share(each.self_consumption_ppm, words) for each in (stood, tried)),
        ),
        (words.say("Demand that neighbours met"), *(_share(each.coverage_ppm, words) for each in (stood, tried))),
        (words.say("Unevenness of energy got"), *(_gini(each.gini_received_ppm, words) for each in (stood, tried))),
        (words.say("Unevenness of money gained"), *(_gini(each.gini_benefit_ppm, words) for each in (stood, tried))),
        (
            words.say("Homes better off alone"),
            *(words.number(each.worse_off_than_alone or 0) for each in (stood, tried)),
        ),
        (words.say("Kept by the co-op"), *(words.money(each.margin_nano or 0) for each in (stood, tried))),
    )
    return ChartTable(_heads(words), rows)


def _sides(tried: TrialSummary, words: Localizer) -> str:
    """How many would gain and lose; by how much only where five or more stand behind each mean."""
    return " ".join(_side_sentences(tried, words))


def _side_sentences(tried: TrialSummary, words: Localizer) -> Iterator[str]:
    gainers, losers = tried.gainers or 0, tried.losers or 0
    if not gainers and not losers:
        yield words.say("No home would gain or lose.")
        return
    yield words.count("%(n)s home would gain,", "%(n)s homes would gain,", gainers)
    yield words.count("%(n)s home would lose.", "%(n)s homes would lose.", losers)
    means = [mean for mean in (tried.gain_of_gainers_nano, tried.gain_of_losers_nano) if mean is not None]
    if tried.gain_of_gainers_nano is not None:
        yield words.say("Who gains, gains %(mean)s on average.", mean=words.money(tried.gain_of_gainers_nano))
    if tried.gain_of_losers_nano is not None:
        yield words.say("Who loses, loses %(mean)s on average.", mean=words.money(-tried.gain_of_losers_nano))
    if not means:
        yield words.say(
            "By how much is not shown: fewer than %(least)s homes stand on one side.", least=words.number(LEAST_HOMES)
        )


def _too_few(homes: int, words: Localizer) -> str:
    return words.say(
        "Figures for all are shown where at least %(least)s homes take part, so that they tell of nobody."
        " Here %(homes)s did.",
        least=words.number(LEAST_HOMES),
        homes=words.number(homes),
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
    """The member's own view for programs."""
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
