"""Loads and checks a device map, and places it on one device. Takes text, never paths.

`placement` decodes registers with the placed map; `roles` turns values into measuring points with our signs.
"""

from collections.abc import Iterable, Mapping, Sequence

from protocols.maps.chain import choose_instance
from protocols.maps.checks import atomic_groups, check_map, span_of
from protocols.maps.grammar import parse_map
from protocols.maps.model import DeviceMap, MapError, MapPoint, Sign
from protocols.maps.placement import PlacedPoint, ResolvedMap
from protocols.maps.planning import BlockLimits, Span, merge_spans
from protocols.maps.sunspec import SunSpecModel


def load_map(text: str, *, name: str) -> DeviceMap:
    """The checked map in this TOML text. `name` is the file's name in error messages.

    Raises MapError with a one-line message that names the file, the key and what was expected.
    """
    device_map = parse_map(text, name)
    check_map(device_map, name)
    for variant in device_map.variants:
        check_map(variant.map, f"{name} variant {variant.name!r}")
    return device_map


def resolve_map(
    device_map: DeviceMap,
    models: Sequence[SunSpecModel] | None = None,
    *,
    sign: Sign = "as_documented",
    invert: bool = False,
    instance: int | None = None,
    variant: str | None = None,
) -> ResolvedMap:
    """The map, or a variant of it, with absolute addresses for one device.

    `models` are those a SunSpec walk found (needed for SunSpec maps). `sign="inverted"` negates the powers whose
    sign is the vendor's choice; `invert` is for swapped wiring: power is negated, import and export are exchanged.
    `instance` says which of several like devices in the chain is meant.
    Raises MapError if a model that the map needs was not found, or if the chain holds several and none is chosen.
    """
    device_map = device_map.varied(variant)
    if device_map.is_sunspec and models is None:
        raise MapError(f"{device_map.id}: expected the models of a SunSpec walk, positions depend on the device")
    if sign == "inverted" and not any(point.vendor_sign for point in device_map.points):
        raise MapError(f"{device_map.id}: sign: expected as_documented, no sign is the vendor's choice here")
    found = choose_instance(device_map, models or (), instance)
    placed = [each for point in device_map.points if (each := _place(point, found)) is not None]
    points = _decodable(placed, found)
    if not points:
        wanted = sorted({model for point in device_map.points for model in point.models})
        raise MapError(f"{device_map.id}: expected one of the SunSpec models {wanted}, found none of them")
    return ResolvedMap(
        device_map=device_map,
        points={name: points[name] for name in dict.fromkeys(each.point.name for each in placed) if name in points},
        derived={each.name: each for each in device_map.derived if points.keys() >= set(each.inputs)},
        atomic=_groups(device_map, points, found),
        limits=_limits(device_map, found, points.values()),
        sign=sign,
        invert=invert,
    )


def _place(point: MapPoint, models: Sequence[SunSpecModel]) -> PlacedPoint | None:
    if point.offset is None:
        span = span_of(point)
        return PlacedPoint(point, point.words or tuple(range(span.address, span.end)))
    for model in models:
        # A device may end a model early: registers beyond its length belong to the next model.
        if model.id in point.models and point.offset + point.type.words <= model.length + 2:
            first = model.address + point.offset
            return PlacedPoint(point, tuple(range(first, first + point.type.words)))
    return None


def _decodable(placed: Sequence[PlacedPoint], models: Sequence[SunSpecModel]) -> dict[str, PlacedPoint]:
    """For each name the first point whose helpers the device also has, in the same model as the point.

    A shortened model may end before its scale factors; those of another model would give wrong numbers.
    """
    there = {(each.point.name, _home(each, models)) for each in placed}
    chosen: dict[str, PlacedPoint] = {}
    for each in placed:
        homes = (None, _home(each, models))
        if all(any((helper, home) in there for home in homes) for helper in each.point.helpers):
            chosen.setdefault(each.point.name, each)
    homes_of = {name: _home(each, models) for name, each in chosen.items()}
    return {
        name: each
        for name, each in chosen.items()
        if all(helper in chosen and homes_of[helper] in (None, homes_of[name]) for helper in each.point.helpers)
    }


def _groups(
    device_map: DeviceMap, points: Mapping[str, PlacedPoint], models: Sequence[SunSpecModel]
) -> tuple[tuple[str, ...], ...]:
    """The map's atomic groups, each divided by model: a point and a helper of another model never belong together."""
    groups: dict[tuple[str, ...], None] = {}
    for group in atomic_groups(device_map):
        present = [name for name in group if name in points]
        homes = dict.fromkeys(_home(points[name], models) for name in present)
        for home in homes:
            groups[tuple(name for name in present if _home(points[name], models) == home)] = None
    return tuple(group for group in groups if len(group) > 1)


def _home(placed: PlacedPoint, models: Sequence[SunSpecModel]) -> SunSpecModel | None:
    """The model a point was found in; None for a fixed address."""
    if placed.point.offset is None:
        return None
    return next(model for model in models if model.address <= placed.addresses[0] < model.end)


def _limits(device_map: DeviceMap, models: Sequence[SunSpecModel], points: Iterable[PlacedPoint]) -> BlockLimits:
    blocks = device_map.blocks
    placed = tuple(points)
    readable = blocks.readable
    if device_map.is_sunspec:
        # Beside the chain of models, a maker's own registers: the areas the map lists, or else just its points.
        own = readable or tuple(each.span for each in placed if each.point.offset is None)
        readable = merge_spans((*(Span(3, model.address, model.length + 2) for model in models), *own))
    return BlockLimits(
        max_registers=device_map.transport.max_registers,
        bridge=blocks.bridge,
        readable=readable,
        no_read=blocks.no_read,
        known=merge_spans(each.span for each in placed if len(each.addresses) == each.span.count),
    )
