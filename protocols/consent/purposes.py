"""What a home's readings may be used for: each purpose with its legal basis and how fine a series it uses.

This is the catalogue of the default rulebook. A members' vote may add to it, but never consents for anyone.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from protocols.quantities import Measure
from protocols.wire.topics import is_id


class Resolution(StrEnum):
    """How fine a series may leave the home, in the notation of ISO 8601."""

    PT15M = "PT15M"
    PT1H = "PT1H"
    P1D = "P1D"
    NONE = "none"

    @property
    def span(self) -> int:
        """The number of slots that one value covers; 0 if there is no series at all."""
        return _SPANS[self]


_SPANS = {Resolution.PT15M: 1, Resolution.PT1H: 4, Resolution.P1D: 96, Resolution.NONE: 0}


class Basis(StrEnum):
    """The legal basis of a purpose."""

    CONTRACT = "contract"
    INTEREST = "legitimate interest"
    CONSENT = "consent"


@dataclass(frozen=True, slots=True)
class Purpose:
    """One entry of the catalogue. `measures` and `resolution` apply if a home's rule names no others."""

    code: str
    basis: Basis
    measures: tuple[Measure, ...]
    resolution: Resolution
    plain_words: str


GRID = (Measure.GRID_IMPORT, Measure.GRID_EXPORT)
_ALL = tuple(Measure)

CATALOGUE: dict[str, Purpose] = {
    purpose.code: purpose
    for purpose in (
        Purpose(
            "settle.share",
            Basis.CONTRACT,
            GRID,
            Resolution.PT15M,
            plain_words="share surplus energy and settle it",
        ),
        Purpose(
            "device.health",
            Basis.INTEREST,
            (),
            Resolution.NONE,
            plain_words="see whether devices answer, without any power",
        ),
        Purpose(
            "forecast.hood",
            Basis.CONSENT,
            _ALL,
            Resolution.PT15M,
            plain_words="forecast the neighbourhood's sums",
        ),
        Purpose(
            "forecast.home",
            Basis.CONSENT,
            _ALL,
            Resolution.PT15M,
            plain_words="forecast this home",
        ),
        Purpose(
            "prompt.shift",
            Basis.CONSENT,
            _ALL,
            Resolution.PT15M,
            plain_words="propose better hours for appliances",
        ),
        Purpose(
            "peers.view",
            Basis.CONSENT,
            _ALL,
            Resolution.PT1H,
            plain_words="show this home to the other members",
        ),
        Purpose(
            "research",
            Basis.CONSENT,
            _ALL,
            Resolution.P1D,
            plain_words="take part in a research project",
        ),
        Purpose(
            "grid.flex",
            Basis.CONSENT,
            GRID,
            Resolution.PT15M,
            plain_words="report flexibility to the grid operator",
        ),
    )
}
"""The purposes of the default rulebook. `research.NAME` is the purpose of one project."""

CONTRACT = "settle.share"
HEALTH = "device.health"


def purpose_of(code: str) -> Purpose | None:
    """The catalogue entry for a purpose code, which may name a research project; None if there is none."""
    if code.startswith("research.") and is_id(code.removeprefix("research.")):
        return CATALOGUE["research"]
    return None if code == "research" else CATALOGUE.get(code)
