"""What a device may be: the surest first, with a reason, and shared rules divided among those that share them."""

from edge_agent.finding.proposals import proposals_for, usual_roles
from protocols.maps.identity_plan import IdentityKnowledge
from protocols.maps.recognition import SunSpecIdentity
from protocols.maps.sunspec import SunSpecModel
from tests.edge_agent.finding.families import map_of, maps
from tests.edge_agent.finding.invented_devices import words_of


def known_of(family: str) -> IdentityKnowledge:
    device_map = map_of(family)
    return IdentityKnowledge(words_of(device_map, device_map.identify[0]))


def test_a_name_in_the_device_is_nearly_certain_and_is_the_reason() -> None:
    best = proposals_for(maps(), known_of("huawei-sun2000"))[0]
    assert (best.map, best.vendor) == ("huawei-sun2000", "Huawei")
    assert best.confidence_percent > 90
    assert best.reason == "register 30000 says SUN2000"


def test_a_plausible_voltage_is_little_and_shared_rules_are_less() -> None:
    sdm = map_of("eastron-sdm630")
    alone = proposals_for([sdm], known_of("eastron-sdm630"))[0].confidence_percent
    shared = [each.confidence_percent for each in proposals_for([sdm, sdm, sdm], known_of("eastron-sdm630"))]
    assert 50 <= alone < 90
    assert all(each < alone for each in shared)
    named = proposals_for([sdm], known_of("eastron-sdm630"), makes=("Eastron",))[0].confidence_percent
    assert named > alone


def test_a_chain_gives_maker_model_and_the_models_that_count() -> None:
    identity = SunSpecIdentity((SunSpecModel(1, 40002, 66), SunSpecModel(103, 40070, 50)), "Fronius", "Symo")
    found = proposals_for([map_of("sunspec-inverter")], IdentityKnowledge(sunspec=identity))
    assert found[0].reason == "it has SunSpec model 103"
    assert found[0].roles[0] == "pv"


def test_a_device_that_fits_nothing_is_nothing() -> None:
    assert proposals_for(maps(), IdentityKnowledge({(3, 1): 7})) == ()


def test_the_usual_role_comes_first() -> None:
    assert usual_roles(map_of("eastron-sdm630"))[0] == "grid"
    assert usual_roles(map_of("huawei-sun2000"))[0] == "pv"
    assert usual_roles(map_of("bornay-wind-plus")) == ("wind",)
