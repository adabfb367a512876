"""Consents drawn for property tests, and one rule added to the consent of a home that has decided nothing."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from protocols.consent.purposes import Resolution
from protocols.consent.rules import ConsentRule, ConsentSet, contract_rule, default_consent, sort_rules
from protocols.quantities import Measure

DAY = 20_400 * 96
SERIES = (Resolution.PT15M, Resolution.PT1H, Resolution.P1D)
PURPOSES = ("peers.view", "forecast.home", "forecast.hood", "prompt.shift", "research.heat", "grid.flex")


@st.composite
def rules(draw: st.DrawFn) -> ConsentRule:
    begin = draw(st.integers(DAY - 40, DAY + 140))
    return ConsentRule(
        draw(st.sampled_from(PURPOSES)),
        tuple(sorted(draw(st.sets(st.sampled_from(Measure), min_size=1)))),
        draw(st.sampled_from(SERIES)),
        begin,
        draw(st.none() | st.integers(begin + 1, begin + 200)),
    )


@st.composite
def consents(draw: st.DrawFn) -> ConsentSet:
    base = default_consent("h01", draw(st.integers(1, 9)))
    kept = base.rules if draw(st.booleans()) else (contract_rule(),)
    return replace(base, rules=sort_rules({*kept, *draw(st.lists(rules(), max_size=4))}))


def with_rule(
    purpose: str, resolution: Resolution, *measures: Measure, begin: int = 0, end: int | None = None
) -> ConsentSet:
    base = default_consent("h01")
    return replace(base, rules=sort_rules([*base.rules, ConsentRule(purpose, measures, resolution, begin, end)]))
