"""The catalogue of purposes against docs/wire-format.md, and which codes it knows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from protocols.consent.purposes import CATALOGUE, CONTRACT, GRID, HEALTH, Basis, Resolution, purpose_of
from protocols.quantities import Measure

DOCUMENT = (Path(__file__).parents[3] / "docs" / "wire-format.md").read_text(encoding="utf-8")
BASIS_WORDS = {
    "membership contract": Basis.CONTRACT,
    "legitimate interest": Basis.INTEREST,
    "consent": Basis.CONSENT,
}


def documented_bases() -> dict[str, Basis]:
    """Purpose by purpose, the legal basis in the document's table."""
    table = DOCUMENT.split("| purpose | legal basis | what |")[1].split("\n\n")[0]
    found = {}
    for line in table.splitlines()[2:]:
        codes, words = (cell.strip() for cell in line.strip("|").split("|")[:2])
        for code in re.findall(r"`([a-z.]+)`", codes):
            found[code.rstrip(".")] = BASIS_WORDS[words.split(",")[0]]
    return found


def test_every_purpose_has_its_documented_legal_basis() -> None:
    assert {code: purpose.basis for code, purpose in CATALOGUE.items()} == documented_bases()


def test_only_settlement_is_contract_and_has_exactly_import_and_export_in_quarter_hours() -> None:
    assert [code for code, purpose in CATALOGUE.items() if purpose.basis is Basis.CONTRACT] == [CONTRACT]
    contract = CATALOGUE[CONTRACT]
    assert contract.measures == GRID == (Measure.GRID_IMPORT, Measure.GRID_EXPORT)
    assert contract.resolution is Resolution.PT15M


def test_the_health_of_devices_has_no_series() -> None:
    assert (CATALOGUE[HEALTH].measures, CATALOGUE[HEALTH].resolution) == ((), Resolution.NONE)


def test_what_other_people_see_is_never_finer_than_an_hour_by_default() -> None:
    assert CATALOGUE["peers.view"].resolution is Resolution.PT1H
    assert CATALOGUE["research"].resolution is Resolution.P1D


def test_a_resolution_counts_its_slots() -> None:
    assert {resolution.value: resolution.span for resolution in Resolution} == {
        "PT15M": 1,
        "PT1H": 4,
        "P1D": 96,
        "none": 0,
    }


def test_each_code_finds_its_own_entry() -> None:
    for code in set(CATALOGUE) - {"research"}:
        found = purpose_of(code)
        assert found is CATALOGUE[code]
        assert found.code == code
        assert found.plain_words


@pytest.mark.parametrize("code", ["research.heat", "research.heat-pumps-2", "research." + "a" * 32])
def test_a_research_project_is_a_purpose_of_its_own(code: str) -> None:
    assert purpose_of(code) is CATALOGUE["research"]


@pytest.mark.parametrize(
    "code",
    ["", "research", "research.", "research.Heat", "research." + "a" * 33, "settle", "peers.view.x", "RESEARCH.x"],
)
def test_other_codes_are_unknown(code: str) -> None:
    assert purpose_of(code) is None
