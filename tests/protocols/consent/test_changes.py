"""Allowing and withdrawing a purpose: the next version changes that purpose and nothing else."""

import pytest

from protocols.consent.changes import allow_purpose, withdraw_purpose
from protocols.consent.purposes import CONTRACT, HEALTH, Resolution
from protocols.consent.reduction import finest_spans
from protocols.consent.rules import MAX_VERSION, ConsentSet, decode_consent, default_consent, encode_consent
from protocols.quantities import Measure

SLOT = 2_000_000
NOTHING = default_consent("h01")


def test_allowing_makes_the_next_version_which_begins_with_the_given_slot() -> None:
    allowed = allow_purpose(NOTHING, "forecast.hood", from_slot=SLOT)
    assert allowed.version == 2
    assert Measure.PV_PRODUCTION in finest_spans(allowed, SLOT)
    assert Measure.PV_PRODUCTION not in finest_spans(allowed, SLOT - 1)
    assert decode_consent(encode_consent(allowed)) == allowed


def test_less_may_be_allowed_than_the_purpose_uses() -> None:
    allowed = allow_purpose(
        NOTHING, "peers.view", from_slot=SLOT, measures=[Measure.PV_PRODUCTION], resolution=Resolution.P1D
    )
    (rule,) = (each for each in allowed.rules if each.purpose == "peers.view")
    assert (rule.measures, rule.resolution, rule.valid_until) == ((Measure.PV_PRODUCTION,), Resolution.P1D, None)


def test_allowing_otherwise_replaces_the_rule_and_allowing_the_same_is_refused() -> None:
    once = allow_purpose(NOTHING, "peers.view", from_slot=SLOT)
    twice = allow_purpose(once, "peers.view", from_slot=SLOT + 4, resolution=Resolution.P1D)
    assert [each.resolution for each in twice.rules if each.purpose == "peers.view"] == [Resolution.P1D]
    with pytest.raises(ValueError, match="allowed already"):
        allow_purpose(once, "peers.view", from_slot=SLOT + 4)
    later = allow_purpose(NOTHING, "peers.view", from_slot=SLOT + 400)
    sooner = allow_purpose(later, "peers.view", from_slot=SLOT)
    assert [each.valid_from for each in sooner.rules if each.purpose == "peers.view"] == [SLOT]


def test_withdrawing_leaves_the_purpose_nothing_and_the_others_what_they_had() -> None:
    both = allow_purpose(allow_purpose(NOTHING, "peers.view", from_slot=SLOT), "grid.flex", from_slot=SLOT)
    left = withdraw_purpose(both, "peers.view")
    assert left.version == 4
    assert {each.purpose for each in left.rules} == {CONTRACT, HEALTH, "grid.flex"}
    assert [each for each in left.rules if each.purpose == "grid.flex"] == [
        each for each in both.rules if each.purpose == "grid.flex"
    ]


def test_health_can_be_objected_to_and_allowed_again() -> None:
    off = withdraw_purpose(NOTHING, HEALTH)
    assert not any(each.purpose == HEALTH for each in off.rules)
    assert allow_purpose(off, HEALTH, from_slot=SLOT).rules == NOTHING.rules
    with pytest.raises(ValueError, match="allowed already"):
        allow_purpose(NOTHING, HEALTH, from_slot=SLOT)


def test_a_research_project_has_a_name() -> None:
    allowed = allow_purpose(NOTHING, "research.heat", from_slot=SLOT)
    assert withdraw_purpose(allowed, "research.heat").rules == NOTHING.rules


@pytest.mark.parametrize("code", ["peers.veiw", "research", ""])
def test_what_is_no_purpose_is_refused(code: str) -> None:
    for change in (lambda: allow_purpose(NOTHING, code, from_slot=SLOT), lambda: withdraw_purpose(NOTHING, code)):
        with pytest.raises(ValueError, match="not a purpose"):
            change()


def test_the_contract_cannot_be_changed_and_what_is_not_allowed_cannot_be_withdrawn() -> None:
    with pytest.raises(ValueError, match="always allowed"):
        allow_purpose(NOTHING, CONTRACT, from_slot=SLOT)
    with pytest.raises(ValueError, match="leave the co-op"):
        withdraw_purpose(NOTHING, CONTRACT)
    with pytest.raises(ValueError, match="nothing to withdraw"):
        withdraw_purpose(NOTHING, "peers.view")


def test_the_last_version_is_the_end() -> None:
    last = ConsentSet("h01", MAX_VERSION, NOTHING.rules)
    with pytest.raises(ValueError, match="last version"):
        allow_purpose(last, "peers.view", from_slot=SLOT)
