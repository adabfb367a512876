"""The most power that each home's grid connection carries: from its agreement, the rulebook, or what its country gives.

There is always a limit. Where the board has entered none, it is the largest connection that an ordinary home gets in
the co-op's country without a special agreement, so an ordinary home never exceeds it and a wrong factor does.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

LimitSource = Literal["agreement", "rulebook", "country"]

USUAL_CONNECTION_W: Final[Mapping[str, int]] = {
    "AT": 43_500,
    "BE": 27_700,
    "CH": 27_700,
    "CZ": 17_300,
    "DE": 43_500,
    "ES": 15_000,
    "FR": 36_000,
    "GB": 23_000,
    "IE": 16_000,
    "IT": 10_000,
    "LT": 17_300,
    "NL": 17_300,
    "PL": 17_300,
    "PT": 41_400,
}
"""By country; docs/quality.md says what each figure stands for."""

_COUNTRY_OF_ZONE: Final[Mapping[str, str]] = {
    "Europe/Vienna": "AT",
    "Europe/Brussels": "BE",
    "Europe/Zurich": "CH",
    "Europe/Prague": "CZ",
    "Europe/Berlin": "DE",
    "Europe/Busingen": "DE",
    "Europe/Madrid": "ES",
    "Africa/Ceuta": "ES",
    "Atlantic/Canary": "ES",
    "Europe/Paris": "FR",
    "Europe/London": "GB",
    "Europe/Dublin": "IE",
    "Europe/Rome": "IT",
    "Europe/Vilnius": "LT",
    "Europe/Amsterdam": "NL",
    "Europe/Warsaw": "PL",
    "Europe/Lisbon": "PT",
    "Atlantic/Madeira": "PT",
    "Atlantic/Azores": "PT",
}


@dataclass(frozen=True, slots=True)
class ConnectionLimit:
    """The most power of a home's connection, in W, and where the figure comes from."""

    power_w: int
    source: LimitSource


def usual_connection_w(tz: str) -> int:
    """The usual connection in the country of this time zone; elsewhere the largest of all.

    >>> usual_connection_w("Europe/Madrid"), usual_connection_w("Asia/Tokyo")
    (15000, 43500)
    """
    country = _COUNTRY_OF_ZONE.get(tz)
    return max(USUAL_CONNECTION_W.values()) if country is None else USUAL_CONNECTION_W[country]


def connection_limits(
    homes: Iterable[str], *, agreed_w: Mapping[str, int], rule_w: int, tz: str
) -> dict[str, ConnectionLimit]:
    """Each home's limit. `agreed_w` holds what the board entered; `rule_w` is the rulebook's, 0 for not stated.

    >>> connection_limits(["h1", "h2"], agreed_w={"h1": 9000}, rule_w=0, tz="Europe/Madrid")["h2"]
    ConnectionLimit(power_w=15000, source='country')
    """
    usual = ConnectionLimit(rule_w, "rulebook") if rule_w else ConnectionLimit(usual_connection_w(tz), "country")
    return {home: ConnectionLimit(agreed_w[home], "agreement") if agreed_w.get(home) else usual for home in homes}
