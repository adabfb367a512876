"""What the household says of its legal meter: how it counts three phases, and within which time it nets.

Reads the table [meter] of agent.toml, with the defaults of its country, which ship with the program.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Literal, get_args

from protocols.maps.fields import TomlFields
from protocols.toml_text import read_toml
from protocols.wire.meter_notices import NETTING_TIMES, NettingTime

COUNTRIES: Final = Path(__file__).resolve().parents[1] / "firmware_configs" / "legal_meters.toml"
LegalPhases = Literal["netted", "separate", "unknown"]
PHASES: Final[tuple[LegalPhases, ...]] = get_args(LegalPhases)


@dataclass(frozen=True, slots=True)
class LegalMeter:
    """The meter that the household is charged by. `sources` say where a country's default comes from."""

    phases: LegalPhases = "unknown"
    netting: NettingTime = "unknown"
    country: str | None = None
    sources: tuple[str, ...] = ()


UNKNOWN_METER: Final = LegalMeter()


@cache
def country_defaults() -> dict[str, LegalMeter]:
    """The legal meter usual in each country that is known. Raises: OSError or MapError for a damaged installation."""
    found = read_toml(COUNTRIES.read_bytes())
    return {code: _usual(TomlFields(f"{COUNTRIES.name} {code}", table), code) for code, table in found.items()}


def _usual(fields: TomlFields, code: str) -> LegalMeter:
    fields.only("phases", "phases_source", "netting", "netting_source")
    sources = fields.text("phases_source"), fields.text("netting_source")
    return LegalMeter(fields.choice("phases", PHASES), fields.choice("netting", NETTING_TIMES), code, sources)


def read_legal_meter(fields: TomlFields) -> LegalMeter:
    """The table [meter]. A country gives what the household does not say; one that is not known gives nothing.

    Raises: MapError with one line that names the key.
    """
    fields.only("phases", "netting", "country")
    country = fields.name("country", r"[A-Z]{2}", "two capital letters such as 'ES'") if fields.has("country") else None
    usual = country_defaults().get(country or "", UNKNOWN_METER)
    said = fields.has("phases"), fields.has("netting")
    return LegalMeter(
        phases=fields.choice("phases", PHASES, usual.phases),
        netting=fields.choice("netting", NETTING_TIMES, usual.netting),
        country=country,
        sources=tuple(source for source, is_said in zip(usual.sources, said, strict=False) if not is_said),
    )
