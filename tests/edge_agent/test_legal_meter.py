"""[meter] in agent.toml: what the household says, what its country gives, and what is refused."""

from __future__ import annotations

import pytest

from edge_agent.legal_meter import UNKNOWN_METER, LegalMeter, country_defaults, read_legal_meter
from protocols.maps.fields import TomlFields
from protocols.maps.model import MapError


def read(**keys: str) -> LegalMeter:
    return read_legal_meter(TomlFields("agent.toml meter", keys))


def test_nothing_said_is_nothing_known() -> None:
    assert read() == UNKNOWN_METER
    assert read(country="XX") == LegalMeter(country="XX"), "a country that is not in the table"


@pytest.mark.parametrize(
    ("country", "phases", "netting"),
    [("ES", "unknown", "60min"), ("PT", "unknown", "15min"), ("IT", "unknown", "none"), ("DE", "netted", "none"),
     ("AT", "netted", "none"), ("LT", "separate", "none"), ("CZ", "separate", "none")],
)  # fmt: skip
def test_a_country_gives_the_defaults_with_their_sources(country: str, phases: str, netting: str) -> None:
    found = read(country=country)
    assert (found.phases, found.netting, len(found.sources)) == (phases, netting, 2)


def test_what_the_household_says_stands_above_its_country() -> None:
    found = read(country="LT", phases="netted")
    assert (found.phases, found.netting) == ("netted", "none")
    assert found.sources == country_defaults()["LT"].sources[1:]
    assert read(country="LT", phases="netted", netting="60min").sources == ()


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"phases": "both"}, "phases: expected one of netted, separate, unknown, found 'both'"),
        ({"netting": "hour"}, "netting: expected one of none, 15min, 60min, unknown, found 'hour'"),
        ({"country": "es"}, "country: expected two capital letters such as 'ES', found 'es'"),
        ({"phase": "netted"}, "unknown key 'phase', did you mean 'phases'?"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(keys: dict[str, str], words: str) -> None:
    with pytest.raises(MapError, match=words.replace("?", r"\?")):
        read(**keys)
