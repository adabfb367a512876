"""Recognition: a rule holds only if its maker, its model and all its checks do, and a certain rule outweighs others."""

from decimal import Decimal

import pytest

from protocols.maps.loading import load_map, resolve_map
from protocols.maps.recognition import Certainty, SunSpecIdentity, recognise
from protocols.maps.sunspec import SunSpecModel
from tests.protocols.maps.map_text import MAP, words_at

METER = SunSpecModel(203, 40070, 105)


def recognised(
    rules: str, words: dict[tuple[int, int], int] | None = None, sunspec: SunSpecIdentity | None = None
) -> Certainty | None:
    """What a map with only these rules says about a device."""
    return recognise(load_map(f"{MAP}\n{rules}\n", name="x.toml"), words or {}, sunspec)


@pytest.mark.parametrize(
    ("maker", "model", "known"),
    [
        ("Acme", "EM-340", True),
        ("Acme Meters Ltd", "EM-340 rev 2", True),
        ("acme", "EM-340", False),
        ("Other", "EM-340", False),
        ("Old Acme", "EM-340", False),
        ("", "EM-340", False),
        ("Acme", "EM-33", False),
        ("Acme", "", False),
    ],
)
def test_maker_and_model_begin_as_the_rule_says(maker: str, model: str, known: bool) -> None:
    rule = '[[identify]]\nmanufacturer = "Acme"\nmodel = "EM-34"\n'
    expected = "likely" if known else None
    assert recognised(rule, sunspec=SunSpecIdentity((), maker, model)) == expected


def test_a_rule_asks_only_for_what_it_names() -> None:
    assert recognised('[[identify]]\nmanufacturer = "Acme"\n', sunspec=SunSpecIdentity((), "Acme", "")) == "likely"
    assert recognised('[[identify]]\nmodel = "EM"\n', sunspec=SunSpecIdentity((), "", "EM-340")) == "likely"


def test_one_of_the_sunspec_models_is_enough() -> None:
    rule = "[[identify]]\nsunspec_models = [201, 203]\n"
    assert recognised(rule, sunspec=SunSpecIdentity((SunSpecModel(1, 40002, 66), METER))) == "likely"
    assert recognised(rule, sunspec=SunSpecIdentity((SunSpecModel(1, 40002, 66),))) is None
    assert recognised(rule) is None


def test_models_maker_and_checks_must_all_hold() -> None:
    rule = (
        '[[identify]]\nsunspec_models = [203]\nmanufacturer = "Acme"\n'
        'checks = [{ function = 3, address = 0, type = "uint16", equals = [7] }]\n'
    )
    acme, other = SunSpecIdentity((METER,), "Acme"), SunSpecIdentity((METER,), "Other")
    assert recognised(rule, words_at(a0=7), acme) == "likely"
    assert recognised(rule, words_at(a0=7), other) is None
    assert recognised(rule, words_at(a0=7), SunSpecIdentity((), "Acme")) is None
    assert recognised(rule, words_at(a0=8), acme) is None


@pytest.mark.parametrize(
    ("check", "words", "known"),
    [
        ('type = "uint16", equals = [7, 9]', words_at(a0=9), True),
        ('type = "uint16", equals = [7, 9]', words_at(a0=8), False),
        ('type = "uint32", word_order = "LH", equals = [65536]', words_at(a0=0, a1=1), True),
        ('type = "uint32", equals = [65536]', words_at(a0=0, a1=1), False),
        ('type = "string2", prefix = "EM"', words_at(a0=0x454D, a1=0x3334), True),
        ('type = "string2", prefix = "M"', words_at(a0=0x454D, a1=0x3334), False),
        ('type = "string2", prefix = "EM"', words_at(a0=0, a1=0), False),
        ('type = "int16", range = [-5, 5]', words_at(a0=0xFFFB), True),
        ('type = "int16", range = [-5, 5]', words_at(a0=5), True),
        ('type = "int16", range = [-5, 5]', words_at(a0=6), False),
        ('type = "int16", range = [-5, 5]', words_at(a0=0xFFFA), False),
        ('type = "float32", range = [200, 260]', words_at(a0=0x7FC0, a1=0), False),
        ('type = "uint16"', words_at(a0=0), True),
    ],
)
def test_a_check_compares_one_value(check: str, words: dict[tuple[int, int], int], known: bool) -> None:
    rule = f"[[identify]]\nchecks = [{{ function = 3, address = 0, {check} }}]\n"
    assert recognised(rule, words) == ("likely" if known else None)


@pytest.mark.parametrize("words", [{}, words_at(a0=0), words_at(a1=7), words_at(4, a0=0, a1=7)])
def test_a_register_that_was_not_read_proves_nothing(words: dict[tuple[int, int], int]) -> None:
    rule = '[[identify]]\nchecks = [{ function = 3, address = 0, type = "uint32" }]\n'
    assert recognised(rule, words) is None
    assert recognised(rule, words_at(a0=0, a1=7)) == "likely"


def test_every_check_of_a_rule_must_hold_and_any_rule_is_enough() -> None:
    first = '{ function = 3, address = 0, type = "uint16", equals = [1] }'
    second = '{ function = 3, address = 1, type = "uint16", equals = [2] }'
    both = f"[[identify]]\nchecks = [{first}, {second}]\n"
    either = f"[[identify]]\nchecks = [{first}]\n[[identify]]\nchecks = [{second}]\n"
    assert recognised(both, words_at(a0=1, a1=2)) == "likely"
    assert recognised(both, words_at(a0=1, a1=3)) is None
    assert recognised(either, words_at(a0=9, a1=2)) == "likely"
    assert recognised(either, words_at(a0=9, a1=3)) is None


def test_one_certain_rule_makes_it_certain() -> None:
    likely = '[[identify]]\nchecks = [{ function = 3, address = 0, type = "uint16" }]\n'
    certain = '[[identify]]\ncertain = true\nchecks = [{ function = 3, address = 1, type = "uint16", equals = [2] }]\n'
    assert recognised(likely + certain, words_at(a0=0, a1=2)) == "certain"
    assert recognised(likely + certain, words_at(a0=0, a1=3)) == "likely"


def test_a_map_without_rules_recognises_nothing() -> None:
    device_map = load_map(MAP, name="x.toml")
    assert (
        recognise(device_map, resolve_map(device_map).encode({"power": Decimal(1)}), SunSpecIdentity((METER,))) is None
    )
