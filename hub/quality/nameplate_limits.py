"""Reads how much power homes' panels and turbines can produce, and makes the nightly check that uses these limits."""

from collections.abc import Mapping
from functools import partial
from typing import Final

from hub.console.output_files import read_json_table
from hub.folder.settings import HubSettings
from hub.quality.findings import NameplateLimits, QualityCheck, check_days_quality
from protocols.errors import RequestError
from protocols.quantities import Measure

MADE: Final = (Measure.PV_PRODUCTION, Measure.WIND_PRODUCTION)


def make_quality_check(settings: HubSettings) -> QualityCheck:
    """The check of closed days with this hub's place and nameplate limits. Raises: RequestError for an invalid file."""
    weather = settings.weather
    place_deg = None if weather is None else (weather.latitude, weather.longitude)
    nameplates = {} if settings.plates_file is None else read_nameplates(read_json_table(settings.plates_file))
    return partial(check_days_quality, place_deg=place_deg, nameplates=nameplates)


def read_nameplates(table: Mapping[str, object]) -> NameplateLimits:
    """The nameplate limits in a file, in W by home and measure. Raises: RequestError."""
    codes = {measure.code: measure for measure in MADE}
    nameplates: dict[str, dict[Measure, int]] = {}
    for home, row in table.items():
        if not isinstance(row, dict):
            raise RequestError(f"nameplates of {home[:40]!r}: expected a table of measures and W")
        for code, power_w in row.items():
            if code not in codes or isinstance(power_w, bool) or not isinstance(power_w, int) or power_w <= 0:
                raise RequestError(f"nameplates of {home[:40]!r}: expected whole W by {', '.join(codes)}")
        nameplates[home] = {codes[code]: power_w for code, power_w in row.items()}
    return nameplates
