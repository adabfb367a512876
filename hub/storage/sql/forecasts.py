"""Forecasts as issued and the weather they were made with."""

# ruff: noqa: S608 - only constant column lists and question marks are put into SQL here; values are bound.

import json
from collections.abc import Sequence
from typing import Any

from hub.storage.records import ForecastRow
from hub.storage.sql.connection import Connection, Transactions
from protocols.slots import Slot

_COLUMNS = "target, issued_slot, first_slot, quantiles, energy_wh, model, reason, drivers, weather_issued_at"
_ADD_SQL = """INSERT INTO forecast
(target, issued_slot, first_slot, until_slot, quantiles, energy_wh, model, reason, drivers, weather_issued_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (target, issued_slot) DO UPDATE SET
    first_slot = excluded.first_slot, until_slot = excluded.until_slot, quantiles = excluded.quantiles,
    energy_wh = excluded.energy_wh, model = excluded.model, reason = excluded.reason, drivers = excluded.drivers,
    weather_issued_at = excluded.weather_issued_at"""
_ADD_WEATHER_SQL = """INSERT INTO weather VALUES (?, ?, ?, ?, ?) ON CONFLICT (hour_s, issued_at) DO UPDATE SET
    temperature_c = excluded.temperature_c, radiation_w_m2 = excluded.radiation_w_m2, wind_m_s = excluded.wind_m_s"""
# From each target or hour to the next one by its key: the issues in between are passed over, not read.
_TARGETS = """WITH RECURSIVE known(target) AS (SELECT min(target) FROM forecast
UNION ALL SELECT (SELECT min(target) FROM forecast WHERE target > known.target)
    FROM known WHERE known.target IS NOT NULL)"""
_THEIRS = ", ".join(f"f.{name}" for name in _COLUMNS.split(", "))
_LATEST_SQL = f"""{_TARGETS} SELECT {_THEIRS}
FROM known JOIN forecast AS f ON f.target = known.target AND f.issued_slot =
    (SELECT max(issued_slot) FROM forecast WHERE target = known.target AND issued_slot <= ?)"""
_KNOWN_SQL = f"{_TARGETS} SELECT target FROM known WHERE target IS NOT NULL ORDER BY target"
_ISSUES_SQL = "SELECT issued_slot FROM forecast WHERE target = ? AND issued_slot < ? ORDER BY issued_slot"
_CROWDED_SQL = "SELECT hour_s FROM weather WHERE hour_s < ? GROUP BY hour_s HAVING count(*) > 2 ORDER BY hour_s"
_THIN_SQL = """DELETE FROM weather WHERE hour_s = ?1
AND issued_at < (SELECT max(issued_at) FROM weather WHERE hour_s = ?1)
AND issued_at <> coalesce((SELECT max(issued_at) FROM weather WHERE hour_s = ?1 AND issued_at <= ?2), -1)"""
_WEATHER_SQL = """WITH RECURSIVE hours(hour_s) AS (SELECT min(hour_s) FROM weather WHERE hour_s >= ?1 AND hour_s < ?2
UNION ALL SELECT (SELECT min(hour_s) FROM weather WHERE hour_s > hours.hour_s AND hour_s < ?2)
    FROM hours WHERE hours.hour_s IS NOT NULL)
SELECT w.hour_s, w.issued_at, w.temperature_c, w.radiation_w_m2, w.wind_m_s
FROM hours JOIN weather AS w ON w.hour_s = hours.hour_s AND w.issued_at =
    (SELECT max(issued_at) FROM weather WHERE hour_s = hours.hour_s AND issued_at <= ?3)"""


class SqlForecasts(Transactions):
    """The ForecastStore slice."""

    async def add_forecasts(self, rows: Sequence[ForecastRow]) -> None:
        """Store forecasts; a new one for the same target and issue slot replaces the old one."""
        lines = [_line(row) for row in rows]
        await self.write(lambda db: db.executemany(_ADD_SQL, lines))

    async def latest_forecasts(self, *, issued_by: Slot) -> dict[str, ForecastRow]:
        """The newest forecast for each target issued no later than `issued_by`."""
        async with self.reading() as db:
            rows = await db.execute_fetchall(_LATEST_SQL, (issued_by,))
        return {str(row[0]): _forecast(tuple(row)) for row in rows}

    async def forecasts_covering(self, target: str, *, slots: range) -> tuple[ForecastRow, ...]:
        """All forecasts for a target that cover any of these slots, the earliest issued first."""
        async with self.reading() as db:
            rows = await db.execute_fetchall(
                f"SELECT {_COLUMNS} FROM forecast WHERE target = ? AND until_slot > ? AND first_slot < ?"
                " ORDER BY issued_slot",
                (target, slots.start, slots.stop),
            )
        return tuple(_forecast(tuple(row)) for row in rows)

    async def forecast_issues(self, *, before: Slot) -> tuple[tuple[str, Slot], ...]:
        """(target, slot of issue) of the forecasts issued before this slot, in order."""

        async def work(db: Connection) -> tuple[tuple[str, Slot], ...]:
            found: list[tuple[str, Slot]] = []
            for (target,) in await db.execute_fetchall(_KNOWN_SQL):
                rows = await db.execute_fetchall(_ISSUES_SQL, (target, before))
                found += [(str(target), int(slot)) for (slot,) in rows]
            return tuple(found)

        return await self.read(work)

    async def remove_forecasts(self, issues: Sequence[tuple[str, Slot]]) -> None:
        """Remove these forecasts."""
        sql = "DELETE FROM forecast WHERE target = ? AND issued_slot = ?"
        await self.write(lambda db: db.executemany(sql, list(issues)))

    async def crowded_hours(self, *, before_s: int) -> tuple[int, ...]:
        """The hours before this time of which more than two issues of the weather are kept."""
        async with self.reading() as db:
            rows = await db.execute_fetchall(_CROWDED_SQL, (before_s,))
        return tuple(int(hour_s) for (hour_s,) in rows)

    async def thin_weather(self, hours: Sequence[tuple[int, int]]) -> None:
        """hours: (hour start, known by). Keep the newest issue, and the newest of those issued by then."""
        await self.write(lambda db: db.executemany(_THIN_SQL, list(hours)))

    async def add_weather(self, issued_at: int, *, rows: Sequence[tuple[int, float, float, float]]) -> None:
        """Store one weather forecast; rows: (hour start unix s, temperature_c, radiation_w_m2, wind_m_s)."""
        lines = [(hour_s, issued_at, temperature, radiation, wind) for hour_s, temperature, radiation, wind in rows]
        await self.write(lambda db: db.executemany(_ADD_WEATHER_SQL, lines))

    async def weather_known_at(
        self, at: int, *, first_s: int, until_s: int
    ) -> tuple[tuple[int, int, float, float, float], ...]:
        """(hour start, issued_at, temperature_c, radiation_w_m2, wind_m_s): hourly, the newest issued by `at`."""
        async with self.reading() as db:
            rows = await db.execute_fetchall(_WEATHER_SQL, (first_s, until_s, at))
        return tuple((row[0], row[1], row[2], row[3], row[4]) for row in rows)


def _line(row: ForecastRow) -> tuple[object, ...]:
    import numpy as np  # noqa: PLC0415 - not for a process that never asks for forecasts

    energy_wh = np.ascontiguousarray(row.energy_wh, dtype="<f8")
    if energy_wh.ndim != 2 or energy_wh.shape[1] != len(row.quantiles):
        raise ValueError(f"forecast of {row.target}: shape {energy_wh.shape} is not (slots, {len(row.quantiles)})")
    return (
        row.target,
        row.issued_slot,
        row.first_slot,
        row.first_slot + energy_wh.shape[0],
        json.dumps(row.quantiles),
        energy_wh.tobytes(),
        row.model,
        row.reason,
        json.dumps(row.drivers),
        row.weather_issued_at,
    )


def _forecast(row: tuple[Any, ...]) -> ForecastRow:
    import numpy as np  # noqa: PLC0415 - not for a process that never asks for forecasts

    target, issued_slot, first_slot, quantiles, energy_wh, model, reason, drivers, weather_issued_at = row
    levels = tuple(float(q) for q in json.loads(quantiles))
    return ForecastRow(
        target=target,
        issued_slot=issued_slot,
        first_slot=first_slot,
        quantiles=levels,
        energy_wh=np.frombuffer(energy_wh, dtype="<f8").reshape(-1, len(levels)).astype(np.float64),
        model=model,
        reason=reason,
        drivers=tuple(str(d) for d in json.loads(drivers)),
        weather_issued_at=weather_issued_at,
    )
