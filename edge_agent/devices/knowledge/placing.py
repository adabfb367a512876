"""Finds where one device's points are: at the map's addresses, or in the models of its SunSpec chain.

Sends through the function it is given. `reader` reads the points then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from edge_agent.devices.knowledge.sunspec_search import Ask, SunSpecSearch
from edge_agent.devices.line import ReadRefusedError, WrongDeviceError, request_cost
from edge_agent.settings import DeviceSettings
from protocols.maps.loading import resolve_map
from protocols.maps.model import DeviceMap, MapError
from protocols.maps.placement import ResolvedMap
from protocols.maps.planning import PlanError, ReadRequest
from protocols.maps.roles import role_names
from protocols.maps.sunspec import SunSpecDiscovery

Words = dict[tuple[int, int], int]


class Placing:
    """The search for one device's points, over all its connections."""

    def __init__(self, settings: DeviceSettings, device_map: DeviceMap) -> None:
        self._settings = settings
        self._map = device_map
        self.search = SunSpecSearch(device_map.transport.max_registers)

    async def place(self, ask: Ask) -> tuple[ResolvedMap, SunSpecDiscovery | None]:
        """The map with the addresses on this device, and its models. Raises what `ask` raises, WrongDeviceError."""
        found = await self._discover(ask) if self._map.is_sunspec else None
        return self._resolve(found, await self._maker_words(ask, found)), found

    async def identity(self, ask: Ask, resolved: ResolvedMap, found: SunSpecDiscovery | None) -> str:
        """How the device calls itself: maker, model, serial number, firmware, as far as the map reads them.

        What the walk came past is not asked again. Empty if it tells nothing. Raises what `ask` raises, except for a
        refusal.
        """
        names = [
            name for name, each in resolved.points.items() if each.point.poll == "once" and each.point.unit == "text"
        ]
        words: Words = {(3, address): word for address, word in found.words.items()} if found else {}
        missing = [name for name in names if resolved.points[name].raw_words(words) is None]
        for request in resolved.plan(missing) if missing else ():
            with suppress(ReadRefusedError):
                words |= _placed_words(request, await ask(request))
        values = resolved.decode(words)
        return "\n".join(f"{name}={values[name]}" for name in sorted(names) if values.get(name))

    async def _discover(self, ask: Ask) -> SunSpecDiscovery:
        known = self.search.known
        used = self._models_used(known) if known else ()
        found = await self.search.find(ask, used)
        if found is None or not found.models:
            raise WrongDeviceError("no SunSpec marker at 40000, 0 or 50000: is the unit right (SMA adds 123)?")
        return found

    def _models_used(self, found: SunSpecDiscovery) -> Sequence[int]:
        """The addresses of the models that the device's roles are read from."""
        try:
            resolved = self.placed(found)
        except WrongDeviceError:
            return ()
        wanted = resolved.spans([name for role in self._settings.roles for name in role_names(resolved, role)])
        holders = (model for span in wanted for model in found.models if model.address <= span.address < model.end)
        return sorted({model.address for model in holders})

    async def _maker_words(self, ask: Ask, found: SunSpecDiscovery | None) -> Words:
        """The words of the walk, with the maker's name if the walk did not come past it and the sign hangs on it."""
        if found is None or not self._map.inverted_for or self._settings.sign != "as_documented":
            return {}
        words = {(3, address): word for address, word in found.words.items()}
        maker = self.placed(found).points.get("manufacturer")
        if maker is not None and maker.raw_words(words) is None:
            span = maker.span
            request = ReadRequest(span.function, span.address, span.count)
            words |= _placed_words(request, await ask(request))
        return words

    def placed(self, found: SunSpecDiscovery | None) -> ResolvedMap:
        """The map on a device with these models. Raises WrongDeviceError."""
        settings = self._settings
        try:
            resolved = resolve_map(
                self._map,
                found.models if found else None,
                sign=settings.sign,
                invert=settings.invert,
                instance=settings.instance,
            )
            cost = request_cost(settings.endpoint, self._map.transport)
            limits = replace(resolved.limits, request_cost=cost)
            resolved = replace(resolved, limits=limits, factor=settings.factor)
            resolved.plan()
        except (MapError, PlanError) as complaint:
            raise WrongDeviceError(str(complaint)) from None
        return resolved

    def _resolve(self, found: SunSpecDiscovery | None, words: Mapping[tuple[int, int], int]) -> ResolvedMap:
        resolved = self.placed(found)
        if words and resolved.decode(words).get("manufacturer") in self._map.inverted_for:
            return replace(resolved, sign="inverted")
        return resolved


def _placed_words(request: ReadRequest, answer: Iterable[int]) -> Words:
    return {(request.function, request.address + at): word for at, word in enumerate(answer)}
