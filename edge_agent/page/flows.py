"""Where the home's power comes from and goes to now, out of the newest value of each measuring point. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from edge_agent.home_store.live_values import LiveValue
from edge_agent.metering.dc_side import net_of_dc, pair_places
from edge_agent.metering.home_meter import MeasuringPoint


@dataclass(frozen=True, slots=True)
class PowerFlow:
    """Powers in W; None where the home has no such point or its value is too old. Signs as everywhere in Commonwatt.

    `use_w` is what the home's appliances take; `silent` are the points whose value is too old to count.
    """

    grid_w: int | None
    sun_w: int | None
    wind_w: int | None
    battery_w: int | None
    use_w: int | None
    silent: tuple[MeasuringPoint, ...]

    @property
    def sources(self) -> list[tuple[str, int]]:
        """What gives power, by kind."""
        found = [("sun", self.sun_w or 0), ("wind", self.wind_w or 0)]
        found += [("battery", -(self.battery_w or 0)), ("grid", self.grid_w or 0)]
        return [(kind, power) for kind, power in found if power > 0]

    @property
    def sinks(self) -> list[tuple[str, int]]:
        """What takes power, by kind."""
        found = [("use", self.use_w or 0), ("battery", self.battery_w or 0), ("grid", -(self.grid_w or 0))]
        return [(kind, power) for kind, power in found if power > 0]


def power_flow(
    places: Iterable[MeasuringPoint], newest: Mapping[MeasuringPoint, LiveValue], *, not_before_s: float
) -> PowerFlow:
    """The flow now. A value read before `not_before_s` does not count."""
    everywhere = tuple(places)
    known = {
        place: value.power_w
        for place in everywhere
        if (value := newest.get(place)) is not None and value.power_w is not None and value.at_s >= not_before_s
    }
    pairs = pair_places(everywhere)
    made = {place: _made(place, pairs.get(place, ()), known) for place in everywhere if place.role in ("pv", "wind")}
    use_w = _use(everywhere, pairs, known)
    return PowerFlow(
        grid_w=_sum([known.get(place) for place in everywhere if place.role == "grid"]),
        sun_w=_sum([power for place, power in made.items() if place.role == "pv"]),
        wind_w=_sum([power for place, power in made.items() if place.role == "wind"]),
        battery_w=_sum([known.get(place) for place in everywhere if place.role == "battery"]),
        use_w=use_w,
        silent=tuple(place for place in everywhere if place not in known),
    )


def _made(
    maker: MeasuringPoint, batteries: tuple[MeasuringPoint, ...], known: Mapping[MeasuringPoint, int]
) -> int | None:
    """What the sun or wind made: an inverter's output holds what its battery gave and lacks what it took."""
    power = known.get(maker)
    if power is None or maker.counts == "source_dc":
        return power
    stored = [known.get(battery) for battery in batteries]
    if any(each is None for each in stored):
        return None
    return max(0, power + sum(each or 0 for each in stored))


def _use(
    places: tuple[MeasuringPoint, ...],
    pairs: Mapping[MeasuringPoint, tuple[MeasuringPoint, ...]],
    known: Mapping[MeasuringPoint, int],
) -> int | None:
    """The home's use: what comes from the grid and all that its devices give; unknown if one of them is."""
    counted = [place for place in places if place.role != "load"]
    if not any(place.role == "grid" for place in counted) or any(place not in known for place in counted):
        return None
    behind = {battery for batteries in pairs.values() for battery in batteries}
    use_w = 0
    for place in counted:
        if place.counts == "source_dc":
            use_w += net_of_dc(known[place] - sum(known[battery] for battery in pairs.get(place, ())))
        elif place.role == "battery":
            use_w -= 0 if place in behind else known[place]
        else:
            use_w += known[place]
    return max(0, use_w)


def _sum(found: list[int | None]) -> int | None:
    if not found or any(each is None for each in found):
        return None
    return sum(each or 0 for each in found)
