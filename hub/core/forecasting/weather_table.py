"""Weather as it was known: values per slot, each with the slot from which it was known. Nothing is fetched here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hub.core.forecasting.day_grid import Floats, Ints
from hub.core.forecasting.sun_position import sun_elevation_deg
from protocols.slots import SLOT_S, SLOTS_PER_HOUR

STEP_S = 300
_KNOWN_BITS = 24  # slots stay below 2**24 until the year 2448


@dataclass(frozen=True, slots=True)
class WeatherTable:
    """Weather rows in any order; a slot may occur several times, once for each time it was forecast.

    Known at: a row is used only by a forecast issued at or after its `known_slot`.
    Shape: every array is (rows,); NaN = not given.
    """

    slot: Ints
    known_slot: Ints
    temperature_c: Floats
    radiation_w_m2: Floats
    wind_m_s: Floats

    def __post_init__(self) -> None:
        shape = self.slot.shape
        for name in ("known_slot", "temperature_c", "radiation_w_m2", "wind_m_s"):
            if getattr(self, name).shape != shape:
                raise ValueError(f"weather column {name} does not have the length of slot")

    @classmethod
    def empty(cls) -> WeatherTable:
        """A table without rows: forecasts then use history alone."""
        none = np.empty(0, dtype=np.int64)
        nothing = np.empty(0, dtype=np.float64)
        return cls(none, none, nothing, nothing, nothing)

    @classmethod
    def from_hours(
        cls, hours: Sequence[tuple[int, int, float, float, float]], *, place_deg: tuple[float, float] | None = None
    ) -> WeatherTable:
        """A table made from (hour start unix s, issued at unix s, temperature_c, radiation_w_m2, wind_m_s).

        Each hour becomes four slots. With a place (latitude, longitude), radiation follows the sun's height within the
        hour and keeps its mean.
        Known at: the first slot that begins at or after the issue.
        """
        table = np.array(hours, dtype=np.float64).reshape(-1, 5)
        start = table[:, 0].astype(np.int64) // SLOT_S
        known = -(-table[:, 1].astype(np.int64) // SLOT_S)
        slot = (start[:, None] + np.arange(SLOTS_PER_HOUR)).ravel()
        columns = (np.repeat(column, SLOTS_PER_HOUR) for column in (known, *table[:, 2:].T))
        known_slot, temperature_c, radiation_w_m2, wind_m_s = columns
        if place_deg is not None:
            radiation_w_m2 = radiation_w_m2 * _share_of_hour(slot, place_deg)
        return cls(slot, known_slot.astype(np.int64), temperature_c, radiation_w_m2, wind_m_s)


def _share_of_hour(slot: Ints, place_deg: tuple[float, float]) -> Floats:
    """The sun's height in each slot relative to its mean over the hour; 1 where the sun is not up in that hour.

    Shape: (slots,), whole hours of four slots.
    """
    starts_s = slot[:, None] * float(SLOT_S) + (np.arange(SLOT_S // STEP_S) + 0.5) * STEP_S
    elevation = sun_elevation_deg(starts_s, latitude_deg=place_deg[0], longitude_deg=place_deg[1])
    height = np.maximum(0.0, np.sin(np.radians(elevation))).mean(axis=1).reshape(-1, SLOTS_PER_HOUR)
    mean = height.mean(axis=1, keepdims=True)
    share: Floats = np.divide(height, mean, out=np.ones_like(height), where=mean > 0)
    return share.ravel()


@dataclass(frozen=True, slots=True)
class KnownWeather:
    """Weather in contiguous slots as it was known at one origin. Shape: every array is (slots,); NaN = unknown."""

    temperature_c: Floats
    radiation_w_m2: Floats
    wind_m_s: Floats


class WeatherVintages:
    """A table sorted for look-ups, without the rows that became known after the issue."""

    def __init__(self, table: WeatherTable, *, issued_slot: int) -> None:
        usable = table.known_slot <= issued_slot
        key = (table.slot[usable] << _KNOWN_BITS) + np.maximum(table.known_slot[usable], 0)
        order = np.argsort(key, kind="stable")
        self._key = key[order]
        self._columns = tuple(
            column[usable][order] for column in (table.temperature_c, table.radiation_w_m2, table.wind_m_s)
        )
        known = table.known_slot[usable & (table.slot >= issued_slot)]
        self.newest_known_slot: int | None = int(known.max()) if len(known) else None

    def look_up(self, first_slot: int, cutoff: Ints) -> KnownWeather:
        """For each slot from `first_slot` on, the newest row known by its cutoff, else the slot's oldest row.

        The oldest row serves past slots whose own forecast was not kept; even that row was known by the issue.
        """
        slots = np.arange(first_slot, first_slot + len(cutoff), dtype=np.int64)
        if not len(self._key):
            nothing = np.full(len(slots), np.nan)
            return KnownWeather(nothing, nothing, nothing)
        start = np.searchsorted(self._key, slots << _KNOWN_BITS, side="left")
        newest = np.searchsorted(self._key, (slots << _KNOWN_BITS) + np.maximum(cutoff, 0), side="right") - 1
        row = np.minimum(np.maximum(start, newest), len(self._key) - 1)
        found = (self._key[row] >> _KNOWN_BITS) == slots
        temperature_c, radiation_w_m2, wind_m_s = (np.where(found, column[row], np.nan) for column in self._columns)
        return KnownWeather(temperature_c, radiation_w_m2, wind_m_s)
