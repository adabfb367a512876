"""The grammar of a device map: from TOML text to a DeviceMap, with only known keys and values of the right shape.

`checks` decides whether the parts fit together. No key accepts a Modbus write function, so no map can request a write.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, get_args

from protocols.maps.fields import TomlFields
from protocols.maps.model import (
    COUNTERS_OF_ROLE,
    W_PER_UNIT,
    BatterySide,
    Counted,
    DerivedValue,
    DeviceMap,
    Framing,
    IdentifyRule,
    IdentityCheck,
    MapError,
    MapPoint,
    MapRole,
    MapVariant,
    Metering,
    Metrology,
    Phases,
    Poll,
    Positive,
    Quality,
    RoleName,
    Serial,
    Transport,
)
from protocols.maps.official.filling import fill_points
from protocols.maps.planning import MODBUS_MAX_REGISTERS, BlockLimits, Span
from protocols.maps.registers import RegisterError, RegisterType, Sentinel, WordOrder, parse_sentinel, register_type
from protocols.maps.variants import vary
from protocols.toml_text import TomlTextError, read_toml

MAX_MAP_BYTES = 256 * 1024
READ_FUNCTIONS = (3, 4)
KINDS = ("pv-inverter", "hybrid", "battery", "grid-meter", "sub-meter", "wind", "battery-charger", "gateway")
UNITS = (
    "W", "kW", "VA", "kVA", "var", "kvar", "V", "A", "Hz", "Wh", "kWh", "MWh", "%", "1", "degC", "m/s", "rpm",
    "ms", "s", "min", "h", "deg", "enum", "bits", "text", "power of ten",
)  # fmt: skip
_KEYS: Mapping[str, tuple[str, ...]] = {
    "map": (
        "id", "version", "vendor", "models", "kinds", "verification", "quality", "sources", "caveats", "transport",
        "blocks", "identify", "tables", "derived", "roles", "sign", "metering", "variants",
    ),
    "metering": ("phases", "phases_source", "metrology", "metrology_source"),
    "variant": (
        "name", "title", "firmware", "path", "model", "quality", "kinds", "caveats", "transport", "blocks", "metering",
        "identify", "points", "derived", "without", "roles",
    ),
    "transport": (
        "framing", "tcp", "rtu", "unit_ids", "timeout_ms", "connect_delay_ms", "request_gap_ms", "max_registers",
        "max_clients",
    ),
    "point": (
        "name", "function", "type", "address", "words", "offset", "models", "document_address", "document_offset",
        "word_order", "scale", "scale_factor", "scale_by", "unit", "positive", "sentinels", "zero_is_missing",
        "zero_is_missing_with", "absolute", "range", "poll", "wraps_at", "resolution", "finer", "vendor_sign",
        "symbols", "source", "note",
    ),
    "derived": (
        "name", "unit", "positive", "plus", "minus", "magnitude", "direction", "negative_values", "negative_bits",
        "source",
    ),
}  # fmt: skip
_POSITIVES: tuple[Positive, ...] = get_args(Positive)
_ORDERS: tuple[WordOrder, ...] = get_args(WordOrder)


def parse_map(text: str, name: str) -> DeviceMap:
    """The map in this TOML text, with its variants. `name` is the file's name in error messages. Raises MapError."""
    return parse_tables(read_tables(text, name), name)


def parse_tables(tables: Mapping[str, Any], name: str) -> DeviceMap:
    """The same from the tables of a TOML text, numbers with a point as Decimal. Raises MapError."""
    table = dict(tables)
    variants = TomlFields(name, {"variants": table.pop("variants", [])}).tables("variants")
    family = _map(table, name)
    return replace(family, variants=tuple(_variants(variants, table, name)))


def _variants(given: list[TomlFields], family: Mapping[str, Any], name: str) -> Iterator[MapVariant]:
    seen: set[str] = set()
    for fields in given:
        fields.only(*_KEYS["variant"])
        word = fields.name("name", r"[a-z0-9]+(-[a-z0-9]+)*", "a name like 'firmware-2'")
        if word in seen:
            raise MapError(f"{fields.where}: name: expected unique names, found {word!r} twice")
        seen.add(word)
        texts = {key: fields.text(key) if fields.has(key) else None for key in ("firmware", "path", "model")}
        title = fields.text("title")
        yield MapVariant(name=word, title=title, **texts, map=_map(vary(family, fields), f"{name} variant {word!r}"))


def _map(table: Mapping[str, Any], name: str) -> DeviceMap:
    top = TomlFields(name, fill_points(table, name)).only(*_KEYS["map"])
    return DeviceMap(
        id=top.name("id", r"[a-z0-9]+(-[a-z0-9]+)*", "a name like 'eastron-sdm630'"),
        version=top.whole("version", 1, 9999),
        vendor=top.text("vendor"),
        models=top.texts("models", needed=True),
        kinds=top.choices("kinds", KINDS),
        verification=top.choice("verification", ("A", "B", "C")),
        quality=top.choice("quality", get_args(Quality)),
        sources=top.texts("sources", needed=True),
        caveats=top.texts("caveats"),
        transport=_transport(top.table("transport")),
        **_blocks(top),
        identify=tuple(_rule(rule) for rule in top.tables("identify")),
        points=_points(top),
        derived=tuple(_derived(each) for each in top.tables("derived")),
        roles=_roles(top),
        inverted_for=_inverted_for(top.table("sign")),
        metering=_metering(top.table("metering")) if top.has("metering") else None,
    )


def _metering(fields: TomlFields) -> Metering:
    fields.only(*_KEYS["metering"])
    return Metering(
        phases=fields.choice("phases", get_args(Phases)),
        phases_source=fields.text("phases_source"),
        metrology=fields.choice("metrology", get_args(Metrology)),
        metrology_source=fields.text("metrology_source"),
    )


def read_tables(text: str, name: str) -> dict[str, Any]:
    """The tables of a map's text, of which nothing is checked yet. Raises MapError."""
    if len(text) > MAX_MAP_BYTES:
        raise MapError(f"{name}: {len(text)} characters, expected at most {MAX_MAP_BYTES}")
    try:
        return read_toml(text, exact=True)
    except TomlTextError as cause:
        raise MapError(f"{name}: not valid TOML: {cause}") from cause


def _transport(fields: TomlFields) -> Transport:
    fields.only(*_KEYS["transport"])
    framings: tuple[Framing, ...] = get_args(Framing)
    return Transport(
        framing=fields.choices("framing", framings),
        tcp_port=_tcp_port(fields),
        rtu=_serial(fields),
        unit_ids=fields.wholes("unit_ids", 0, 255, needed=True),
        timeout_ms=fields.whole("timeout_ms", 50, 60_000, default=3000),
        connect_delay_ms=fields.whole("connect_delay_ms", 0, 60_000, default=0),
        request_gap_ms=fields.whole("request_gap_ms", 0, 60_000, default=0),
        max_registers=fields.whole("max_registers", 1, MODBUS_MAX_REGISTERS, default=MODBUS_MAX_REGISTERS),
        max_clients=fields.whole_or_none("max_clients", 1, 1000),
    )


def _tcp_port(fields: TomlFields) -> int | None:
    if not fields.has("tcp"):
        return None
    tcp = fields.table("tcp").only("port")
    return tcp.whole("port", 1, 65535)


def _serial(fields: TomlFields) -> Serial | None:
    if not fields.has("rtu"):
        return None
    rtu = fields.table("rtu").only("baud", "bits", "parity", "stop")
    return Serial(
        baud=rtu.whole("baud", 300, 1_000_000),
        bits=rtu.whole("bits", 7, 8, default=8),
        parity=rtu.choice("parity", ("N", "E", "O")),
        stop=rtu.whole("stop", 1, 2, default=1),
    )


def _blocks(top: TomlFields) -> dict[str, Any]:
    fields = top.table("blocks").only("bridge", "readable", "no_read", "atomic")
    bridge = None
    if fields.has("bridge"):
        words = {"never": 0, "any": None}
        found = fields.raw("bridge")
        if isinstance(found, str) and found in words:
            bridge = words[found]
        elif isinstance(found, int) and not isinstance(found, bool) and 0 <= found <= MODBUS_MAX_REGISTERS:
            bridge = found
        else:
            raise fields.wrong("bridge", f"'never', 'any' or 0..{MODBUS_MAX_REGISTERS} registers", found)
    limits = BlockLimits(bridge=bridge, readable=_areas(fields, "readable"), no_read=_areas(fields, "no_read"))
    atomic = fields.lists_of_texts("atomic")
    return {"blocks": limits, "atomic": atomic}


def _areas(fields: TomlFields, key: str) -> tuple[Span, ...]:
    areas = []
    for area in fields.tables(key):
        area.only("function", "first", "last")
        function, first = _function(area), area.whole("first", 0, 65535)
        last = area.whole("last", first, 65535)
        areas.append(Span(function, first, last - first + 1))
    return tuple(areas)


def _points(top: TomlFields) -> tuple[MapPoint, ...]:
    points: list[MapPoint] = []
    for table in top.tables("tables"):
        table.only("title", "points", *_KEYS["point"]).text("title")
        points.extend(_point(row) for row in table.tables("points", share_rest=True))
    return tuple(points)


def _point(fields: TomlFields) -> MapPoint:
    rtype = _type(fields.only(*_KEYS["point"]))
    _check_power_is_bounded(fields)
    low, high = fields.bounds("range")
    point = MapPoint(
        name=fields.name("name"),
        function=_function(fields),
        type=rtype,
        **_place(fields),
        word_order=fields.choice("word_order", _ORDERS, "HL"),
        scale=fields.number("scale", Decimal(1)),
        scale_factor=fields.name("scale_factor") if fields.has("scale_factor") else None,
        scale_by=fields.texts("scale_by"),
        unit=fields.choice("unit", UNITS),
        positive=fields.choice("positive", _POSITIVES, "none"),
        sentinels=_sentinels(fields, rtype),
        zero_is_missing=fields.flag("zero_is_missing"),
        zero_is_missing_with=fields.texts("zero_is_missing_with"),
        absolute=fields.flag("absolute"),
        minimum=low,
        maximum=high,
        poll=fields.choice("poll", get_args(Poll), "slow"),
        wraps_at=fields.whole_or_none("wraps_at", 2, 2**64),
        resolution=fields.number_or_none("resolution"),
        finer=fields.name("finer") if fields.has("finer") else None,
        vendor_sign=fields.flag("vendor_sign"),
        symbols=_symbols(fields),
        source=fields.text("source"),
        note=fields.text("note", "-"),
    )
    fields.finish()
    return point


def _check_power_is_bounded(fields: TomlFields) -> None:
    """A power must say how it shows "not available" and what it can be: a number beyond that became energy."""
    if str(fields.given("unit")) not in W_PER_UNIT:
        return
    for key, expected in (("sentinels", "a list of marks, [] if the device has none"), ("range", "[lowest, highest]")):
        if not fields.has(key):
            raise MapError(f"{fields.where}: {key}: missing, a power needs {expected}")


def _place(fields: TomlFields) -> dict[str, Any]:
    """Where the value is, given in exactly one of three ways and checked against the number printed in the manual."""
    given = [key for key in ("address", "words", "offset") if fields.has(key)]
    if len(given) != 1:
        found = ", ".join(given) or "none"
        raise MapError(f"{fields.where}: expected one of address, words or offset, found {found}")
    models = fields.wholes("models", 1, 65534, needed=True) if given == ["offset"] else ()
    place: dict[str, Any] = {
        "address": fields.whole_or_none("address", 0, 65535),
        "words": fields.wholes("words", 0, 65535),
        "offset": fields.whole_or_none("offset", 2, 65535),
        "models": models,
        "document_address": fields.whole_or_none("document_address", 0, 999_999),
    }
    shift = fields.whole_or_none("document_offset", 0, 999_999)
    printed = place["document_address"]
    if printed is None:
        return place
    if shift is None or place["offset"] is not None:
        raise MapError(f"{fields.where}: document_address: expected with document_offset and a wire address")
    first = place["address"] if place["address"] is not None else place["words"][0]
    if printed - shift != first:
        expected = f"{first + shift} (wire {first} + document_offset {shift})"
        raise fields.wrong("document_address", expected, printed)
    return place


def _type(fields: TomlFields) -> RegisterType:
    found = fields.text("type")
    try:
        return register_type(found)
    except RegisterError as cause:
        raise MapError(f"{fields.where}: type: {cause}") from cause


def _sentinels(fields: TomlFields, rtype: RegisterType) -> tuple[Sentinel, ...]:
    try:
        return tuple(parse_sentinel(text, rtype) for text in fields.texts("sentinels"))
    except RegisterError as cause:
        raise MapError(f"{fields.where}: sentinels: {cause}") from cause


def _symbols(fields: TomlFields) -> Mapping[int, str] | None:
    if not fields.has("symbols"):
        return None
    found = fields.raw_table("symbols")
    if not all(isinstance(text, str) and key.isdecimal() and len(key) <= 10 for key, text in found.items()):
        raise fields.wrong("symbols", 'a table like { "1" = "off" }', found)
    return {int(key): text for key, text in found.items()}


def _function(fields: TomlFields) -> int:
    return fields.whole("function", min(READ_FUNCTIONS), max(READ_FUNCTIONS))


def _derived(fields: TomlFields) -> DerivedValue:
    fields.only(*_KEYS["derived"])
    return DerivedValue(
        name=fields.name("name"),
        unit=fields.choice("unit", UNITS),
        positive=fields.choice("positive", _POSITIVES, "none"),
        plus=fields.texts("plus"),
        minus=fields.texts("minus"),
        magnitude=fields.name("magnitude") if fields.has("magnitude") else None,
        direction=fields.name("direction") if fields.has("direction") else None,
        negative_values=fields.wholes("negative_values", 0, 65535),
        negative_bits=fields.whole("negative_bits", 0, 2**32 - 1, default=0),
        source=fields.text("source"),
    )


def _rule(fields: TomlFields) -> IdentifyRule:
    fields.only("checks", "sunspec_models", "manufacturer", "model", "certain")
    rule = IdentifyRule(
        checks=tuple(_check(check) for check in fields.tables("checks")),
        sunspec_models=fields.wholes("sunspec_models", 1, 65534),
        manufacturer=fields.text("manufacturer") if fields.has("manufacturer") else None,
        model=fields.text("model") if fields.has("model") else None,
        certain=fields.flag("certain"),
    )
    if not (rule.checks or rule.sunspec_models or rule.manufacturer or rule.model):
        raise MapError(f"{fields.where}: expected checks, sunspec_models, manufacturer or model")
    return rule


def _check(fields: TomlFields) -> IdentityCheck:
    fields.only("function", "address", "type", "word_order", "prefix", "equals", "range")
    low, high = fields.bounds("range")
    return IdentityCheck(
        function=_function(fields),
        address=fields.whole("address", 0, 65535),
        type=_type(fields),
        word_order=fields.choice("word_order", _ORDERS, "HL"),
        prefix=fields.text("prefix") if fields.has("prefix") else None,
        values=fields.wholes("equals", 0, 2**64 - 1),
        minimum=low,
        maximum=high,
    )


def _roles(top: TomlFields) -> Mapping[RoleName, MapRole]:
    fields = top.table("roles").only(*COUNTERS_OF_ROLE)
    roles: dict[RoleName, MapRole] = {}
    for name, counters in COUNTERS_OF_ROLE.items():
        if not fields.has(name):
            continue
        swapped = (f"{counter}_swapped" for counter in counters)
        known = ("power", "derived", "shape_by_power", "only_while", *(("counts",) if "production" in counters else ()))
        role = fields.table(name).only(*counters, *swapped, *known, *(("side",) if name == "battery" else ()))
        roles[name] = MapRole(
            name=name,
            counters={counter: role.name(counter) for counter in counters if role.has(counter)},
            swapped={key: role.name(f"{key}_swapped") for key in counters if role.has(f"{key}_swapped")},
            power=role.name("power") if role.has("power") else None,
            derived=role.flag("derived"),
            shape_by_power=role.flag("shape_by_power"),
            counts=role.choice("counts", get_args(Counted)) if "production" in counters else None,
            side=role.choice("side", get_args(BatterySide)) if name == "battery" else None,
            only_while=_only_while(role),
        )
    return roles


def _only_while(role: TomlFields) -> tuple[str, tuple[int, ...]] | None:
    if not role.has("only_while"):
        return None
    state = role.table("only_while").only("point", "values")
    return state.name("point"), state.wholes("values", 0, 2**32 - 1, needed=True)


def _inverted_for(fields: TomlFields) -> tuple[str, ...]:
    return fields.only("inverted_for").texts("inverted_for")
