"""The next read on an unknown device: what decides most, named makes first, never what a possible family forbids."""

from protocols.maps.identity_plan import IdentityKnowledge, is_named, is_possible, next_step, verdict_of
from protocols.maps.loading import load_map
from protocols.maps.model import DeviceMap
from protocols.maps.planning import ReadRequest, Span
from protocols.maps.recognition import SunSpecIdentity
from protocols.maps.sunspec import SunSpecModel
from tests.protocols.maps.map_text import MAP

NOTHING = IdentityKnowledge()


def family(rules: str, *, no_read: str = "", vendor: str = "Example") -> DeviceMap:
    """A map with only these rules, and with these registers that must not be read."""
    text = MAP.replace("{ function = 3, first = 30, last = 31 }", no_read).replace('"Example"', f'"{vendor}"')
    return load_map(f"{text}\n{rules}\n", name="example-meter.toml")


def at(address: int, equals: int, *, certain: bool = True) -> str:
    flag = "certain = true\n" if certain else ""
    check = f'{{ function = 3, address = {address}, type = "uint16", equals = [{equals}] }}'
    return f"[[identify]]\n{flag}checks = [{check}]\n"


CHAIN = "[[identify]]\ncertain = true\nsunspec_models = [203]\n"


def test_what_decides_most_comes_first() -> None:
    maps = [family(at(9000, 1)), family(at(500, 2)), family(at(500, 3))]
    step = next_step(maps, NOTHING)
    assert step is not None
    assert step.request == ReadRequest(3, 500, 1)


def test_reads_that_lie_close_go_in_one_request_until_the_device_refuses_that() -> None:
    maps = [family(at(500, 2)), family(at(510, 3))]
    step = next_step(maps, NOTHING)
    assert step is not None
    assert step.request == ReadRequest(3, 500, 11)
    strict = NOTHING.with_refusal(step)
    assert strict.refused == {}, "each of the two may still be given"
    alone = next_step(maps, strict)
    assert alone is not None
    assert alone.request == ReadRequest(3, 500, 1)
    last = next_step(maps, strict.with_refusal(alone))
    assert last is not None
    assert last.request == ReadRequest(3, 510, 1)
    assert next_step(maps, strict.with_refusal(alone).with_refusal(last)) is None


def test_an_answer_decides_every_rule_that_it_holds() -> None:
    first, second = family(at(500, 2)), family(at(510, 3))
    known = NOTHING.with_words(Span(3, 500, 11), [2, *[0] * 10])
    assert verdict_of(first.identify[0], known) == "holds"
    assert not is_possible(second, known)


def test_a_named_make_is_asked_for_first() -> None:
    many = [family(at(500, value)) for value in range(5)]
    named = family(at(9000, 1), vendor="Zenith")
    step = next_step([*many, named], NOTHING, makes=("zenith",))
    assert step is not None
    assert step.request.address == 9000
    assert is_named(named, (" Zenith ",))
    assert not is_named(named, ("", " "))


def test_nothing_is_read_that_a_family_still_possible_forbids() -> None:
    danger = family(at(9000, 1), no_read="{ function = 3, first = 505, last = 505 }")
    maps = [danger, family(at(505, 2)), family(at(505, 3)), family(at(500, 1)), family(at(510, 1))]
    known = NOTHING
    asked = []
    while (step := next_step(maps, known)) is not None:
        asked.append(step.request)
        known = known.with_words(step.request, [0] * step.request.count)
    place = asked.index(ReadRequest(3, 9000, 1))
    assert all(each.end <= 505 or each.address > 505 for each in asked[:place])
    assert any(each.address <= 505 < each.end for each in asked[place:]), "then the family is out, and it may be read"


def test_the_chain_is_looked_for_at_each_base_once() -> None:
    maps = [family(CHAIN)]
    bases = []
    known = NOTHING
    while (step := next_step(maps, known)) is not None:
        assert step.base is not None
        bases.append(step.base)
        known = IdentityKnowledge(bases_tried=(*known.bases_tried, step.base))
    assert bases == [40000, 0, 50000]
    assert known.has_no_chain
    assert not is_possible(maps[0], known)


def test_a_chain_that_was_found_decides() -> None:
    rule = family(CHAIN).identify[0]
    assert verdict_of(rule, NOTHING) == "open"
    assert verdict_of(rule, IdentityKnowledge(sunspec=SunSpecIdentity((SunSpecModel(203, 40070, 105),)))) == "holds"
    assert verdict_of(rule, IdentityKnowledge(sunspec=SunSpecIdentity((SunSpecModel(103, 40070, 50),)))) == "refuted"


def test_a_part_of_a_refused_block_may_still_be_given_and_a_refused_function_gives_nothing() -> None:
    rule = family(at(500, 2)).identify[0]
    step = next_step([family(at(500, 2))], NOTHING)
    assert step is not None
    assert verdict_of(rule, IdentityKnowledge(refused={(3, 499): 3})) == "open"
    assert verdict_of(rule, NOTHING.with_refusal(step)) == "refuted"
    assert verdict_of(rule, NOTHING.with_refusal(step, whole_function=True)) == "refuted"
