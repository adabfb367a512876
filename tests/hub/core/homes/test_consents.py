"""Whose values may be counted: only homes whose consent allows exactly this purpose, slot and measure."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core.homes.consents import AgentConsent, home_allows, homes_allowing, open_homes
from protocols.consent.purposes import CONTRACT, HEALTH, Resolution
from protocols.consent.rules import (
    ConsentRule,
    ConsentSet,
    contract_rule,
    default_consent,
    encode_consent,
    sort_rules,
)
from protocols.quantities import Measure

FROM, UNTIL = 1_983_000, 1_983_096
IMPORT, EXPORT, SUN = Measure.GRID_IMPORT, Measure.GRID_EXPORT, Measure.PV_PRODUCTION
OPTIONAL = ("forecast.hood", "forecast.home", "prompt.shift", "peers.view", "research.heat", "grid.flex")
bounded = settings(deadline=None, derandomize=True, max_examples=200)


def rule(
    purpose: str = "forecast.hood",
    measures: tuple[Measure, ...] = (IMPORT, EXPORT),
    resolution: Resolution = Resolution.PT15M,
    *,
    valid_from: int = FROM,
    valid_until: int | None = UNTIL,
) -> ConsentRule:
    return ConsentRule(purpose, measures, resolution, valid_from, valid_until)


def sent(home: str, *rules: ConsentRule, version: int = 2) -> list[AgentConsent]:
    return [AgentConsent(version, encode_consent(ConsentSet(home, version, sort_rules((contract_rule(), *rules)))))]


def allowing(
    *rules: ConsentRule, purpose: str = "forecast.hood", slot: int = FROM, measure: Measure | None = None
) -> bool:
    return homes_allowing({"h1": sent("h1", *rules)}, purpose, slot=slot, measure=measure) == ("h1",)


def test_a_home_that_allows_it_is_counted() -> None:
    assert allowing(rule())
    assert allowing(rule(), measure=EXPORT)


@pytest.mark.parametrize("purpose", [*(code for code in OPTIONAL if code != "forecast.hood"), HEALTH, "research.sleep"])
def test_a_consent_for_one_purpose_is_none_for_another(purpose: str) -> None:
    """Everything else about the rule fits: quarter hours, the slot and the measure."""
    assert not allowing(rule(), purpose=purpose)
    assert not allowing(rule(), purpose=purpose, measure=IMPORT)


def test_the_membership_contract_opens_nothing_but_settlement() -> None:
    consents = {"h1": sent("h1"), "h2": [AgentConsent(1, encode_consent(default_consent("h2")))]}
    assert homes_allowing(consents, CONTRACT, slot=FROM) == ("h1", "h2")
    for purpose in (*OPTIONAL, HEALTH, ""):
        assert homes_allowing(consents, purpose, slot=FROM) == ()


@pytest.mark.parametrize(("slot", "counted"), [(FROM - 1, False), (FROM, True), (UNTIL - 1, True), (UNTIL, False)])
def test_a_rule_counts_from_its_first_slot_to_the_one_before_its_end(slot: int, *, counted: bool) -> None:
    assert allowing(rule(), slot=slot) is counted
    assert allowing(rule(valid_until=None), slot=slot) is (slot >= FROM)


def test_only_measures_of_the_rule_are_counted() -> None:
    assert allowing(rule(measures=(IMPORT,)), measure=IMPORT)
    assert not allowing(rule(measures=(IMPORT,)), measure=EXPORT)
    assert not allowing(rule(measures=(IMPORT,)), measure=SUN)


@pytest.mark.parametrize("resolution", [Resolution.PT1H, Resolution.P1D])
def test_a_coarser_series_is_not_a_quarter_hour(resolution: Resolution) -> None:
    assert not allowing(rule(resolution=resolution))
    assert not allowing(rule(resolution=resolution), measure=IMPORT)
    assert not allowing(rule(HEALTH, (), Resolution.NONE), purpose=HEALTH)


def test_conditions_met_by_different_rules_do_not_add_up() -> None:
    other_purpose = rule("peers.view", (SUN,))
    too_late = rule(measures=(SUN,), valid_from=UNTIL, valid_until=None)
    too_coarse = rule(measures=(EXPORT, SUN), resolution=Resolution.P1D)
    assert not allowing(rule(measures=(IMPORT,)), other_purpose, too_late, too_coarse, measure=SUN)
    assert allowing(rule(measures=(IMPORT,)), other_purpose, too_late, too_coarse, measure=IMPORT)


def test_one_of_several_rules_is_enough() -> None:
    early, late = rule(valid_until=FROM + 4), rule(valid_from=FROM + 8)
    assert [allowing(early, late, slot=FROM + place) for place in (0, 3, 4, 7, 8)] == [True, True, False, False, True]


def test_a_withdrawn_consent_counts_no_longer() -> None:
    """The home's newest consent replaces the earlier one whole: what it does not repeat is withdrawn."""
    consents = {"h1": sent("h1", rule(), version=2), "h2": sent("h2", rule(), version=2)}
    assert homes_allowing(consents, "forecast.hood", slot=FROM) == ("h1", "h2")
    consents["h1"] = sent("h1", rule("peers.view"), version=3)
    assert homes_allowing(consents, "forecast.hood", slot=FROM) == ("h2",)


@pytest.mark.parametrize(
    "damage", [lambda data: b"", lambda data: data[:-1], lambda data: data + b"\0", lambda data: b"\xa0"]
)
def test_a_consent_that_cannot_be_read_allows_nothing(damage: Callable[[bytes], bytes]) -> None:
    (whole,) = sent("h1", rule())
    consents = {"h1": [replace(whole, document=damage(whole.document))], "h2": sent("h2", rule())}
    assert homes_allowing(consents, "forecast.hood", slot=FROM) == ("h2",)


def test_homes_come_in_order_of_their_ids() -> None:
    consents = {home: sent(home, rule()) for home in ("h10", "h2", "a", "h1")}
    assert homes_allowing(consents, "forecast.hood", slot=FROM) == ("a", "h1", "h10", "h2")
    assert homes_allowing({}, "forecast.hood", slot=FROM) == ()


@st.composite
def some_rules(draw: st.DrawFn) -> ConsentRule:
    begin = draw(st.integers(FROM - 3, FROM + 3))
    return rule(
        draw(st.sampled_from(OPTIONAL[:3])),
        tuple(sorted(draw(st.sets(st.sampled_from((IMPORT, EXPORT, SUN)), min_size=1)))),
        draw(st.sampled_from((Resolution.PT15M, Resolution.PT1H))),
        valid_from=begin,
        valid_until=draw(st.none() | st.integers(begin + 1, begin + 5)),
    )


@given(
    rules=st.sets(some_rules(), max_size=4),
    slot=st.integers(FROM - 4, FROM + 9),
    measure=st.sampled_from([IMPORT, SUN]),
)
@bounded
def test_a_home_is_counted_exactly_if_one_of_its_rules_meets_every_condition(
    rules: set[ConsentRule], slot: int, measure: Measure
) -> None:
    expected = False
    for each in rules:
        begun = each.valid_from <= slot
        over = each.valid_until is not None and each.valid_until <= slot
        fine = each.resolution.span == 1
        if each.purpose == "forecast.hood" and begun and not over and fine and measure in each.measures:
            expected = True
    assert allowing(*rules, slot=slot, measure=measure) is expected


def part(*rules: ConsentRule, brings: tuple[Measure, ...] = (), seat: int = 1) -> AgentConsent:
    return replace(sent("h1", *rules)[0], brings=frozenset(brings), seat=seat)


GRID = (IMPORT, EXPORT)


def test_each_agent_speaks_for_what_it_brings() -> None:
    grid, sun = part(rule(), brings=GRID), part(rule("peers.view", (SUN,)), brings=(SUN,), seat=2)
    held = {"h1": [grid, sun]}
    assert homes_allowing(held, "forecast.hood", slot=FROM, measure=IMPORT) == ("h1",)
    assert homes_allowing(held, "forecast.hood", slot=FROM, measure=SUN) == ()
    assert homes_allowing(held, "peers.view", slot=FROM, measure=SUN) == ("h1",)
    assert homes_allowing(held, "peers.view", slot=FROM, measure=IMPORT) == ()
    for purpose in ("forecast.hood", "peers.view"):
        assert homes_allowing(held, purpose, slot=FROM) == (), "one of the two does not allow it"
    assert open_homes(held, slot=FROM) == frozenset()


def test_a_further_agent_changes_nothing_before_it_brings_anything() -> None:
    grid, new = part(rule(), brings=GRID), part(seat=2)
    assert homes_allowing({"h1": [grid, new]}, "forecast.hood", slot=FROM) == ("h1",)
    assert homes_allowing({"h1": [grid, AgentConsent(0, b"", seat=2)]}, "forecast.hood", slot=FROM) == ("h1",)


def test_what_no_agent_brings_needs_them_all() -> None:
    both = [part(rule(measures=(SUN,))), part(rule(measures=(SUN,)), seat=2)]
    assert homes_allowing({"h1": both}, "forecast.hood", slot=FROM, measure=SUN) == ("h1",)
    assert homes_allowing({"h1": [both[0], part(seat=2)]}, "forecast.hood", slot=FROM, measure=SUN) == ()


MEASURES_OF_AN_AGENT = st.sets(st.sampled_from([IMPORT, EXPORT, SUN]))


@bounded
@given(st.data())
def test_a_home_never_allows_more_than_the_agents_concerned(data: st.DataObject) -> None:
    owners = {measure: data.draw(st.sampled_from([1, 2, None])) for measure in (IMPORT, EXPORT, SUN)}
    parts = []
    for seat in (1, 2):
        rules = data.draw(st.lists(some_rules(), max_size=4, unique=True))
        brings = tuple(measure for measure, owner in owners.items() if owner == seat)
        parts.append(part(*rules, brings=brings, seat=seat))
    slot = data.draw(st.integers(FROM - 2, FROM + 6))
    lowered = [replace(parts[0], document=b""), parts[1]]
    for purpose in OPTIONAL:
        bringing = [each for each in parts if each.brings] or parts
        if home_allows(parts, purpose, slot=slot):
            assert all(home_allows([replace(p, brings=frozenset())], purpose, slot=slot) for p in bringing)
        assert not home_allows(lowered, purpose, slot=slot) or (not parts[0].brings and parts[1].brings)
        for measure, owner in owners.items():
            asked = parts if owner is None else [parts[owner - 1]]
            alone = all(home_allows([each], purpose, slot=slot, measure=measure) for each in asked)
            assert home_allows(parts, purpose, slot=slot, measure=measure) is alone
            if home_allows(lowered, purpose, slot=slot, measure=measure):
                assert home_allows(parts, purpose, slot=slot, measure=measure), "lowering one never opens anything"


def test_a_home_is_open_only_if_it_lets_members_see_both_what_it_draws_and_what_it_feeds_in() -> None:
    held = {
        "b1": sent("b1", rule("peers.view", GRID)),
        "d1": sent("d1", rule("peers.view", (IMPORT,))),
        "f1": sent("f1", rule("peers.view", (EXPORT,))),
    }
    assert open_homes(held, slot=FROM) == {"b1"}
