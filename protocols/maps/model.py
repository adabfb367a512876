"""What a device map says, as plain frozen records: the device, how to talk to it, its points and its roles.

`grammar` makes these records from text, `checks` checks them, `loading` and `placement` use them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from protocols.errors import InputError
from protocols.maps.planning import BlockLimits
from protocols.maps.registers import RegisterType, Sentinel, Value, WordOrder

Positive = Literal["none", "import", "export", "generation", "charge", "discharge"]
Poll = Literal["fast", "slow", "once"]
Framing = Literal["tcp", "rtu", "rtu_over_tcp", "rtu_over_udp", "udp", "solarman_v5", "p1", "sml", "mqtt"]
RoleName = Literal["grid", "pv", "wind", "battery", "load"]
Sign = Literal["as_documented", "inverted"]
# What a production counter counts: the panels or turbine themselves, on the DC or on the AC side, or everything an
# inverter gives on its AC side. The last contains what a battery on its DC side gives, and lacks what that one takes.
Counted = Literal["source_dc", "source_ac", "inverter_output"]
BatterySide = Literal["dc", "ac", "unknown"]
# Bronze: loads and can be read. Silver: golden vectors for all a role rests on, and two sources. Gold: recordings too.
Quality = Literal["bronze", "silver", "gold"]
# How a three-phase counter adds its phases: as one sum that can cancel out, each by itself, or a meter of one phase.
Phases = Literal["netted", "separate", "single", "unknown", "legal"]
Metrology = Literal[
    "MID A", "MID B", "MID C", "class 0.2", "class 0.2S", "class 0.5", "class 0.5S", "class 1", "class 1.5", "class 2",
    "none", "unknown",
]  # fmt: skip

COUNTERS_OF_ROLE: Mapping[RoleName, tuple[str, ...]] = {
    "grid": ("import", "export"),
    "pv": ("production",),
    "wind": ("production",),
    "battery": ("charge", "discharge"),
    "load": ("import",),
}
# The sign that a positive raw power with this meaning gets in the role, in our convention:
# grid + is import, pv and wind + is generation, battery + is charge, load + is consumption.
POWER_SIGN: Mapping[RoleName, Mapping[Positive, int]] = {
    "grid": {"import": 1, "export": -1},
    "pv": {"generation": 1, "export": 1, "import": -1},
    "wind": {"generation": 1, "export": 1, "import": -1},
    "battery": {"charge": 1, "discharge": -1, "import": 1, "export": -1},
    "load": {"import": 1, "export": -1},
}
WH_PER_UNIT: Mapping[str, Decimal] = {"Wh": Decimal(1), "kWh": Decimal(1000), "MWh": Decimal(1_000_000)}
W_PER_UNIT: Mapping[str, Decimal] = {"W": Decimal(1), "kW": Decimal(1000)}


class MapError(InputError):
    """A device map, or the way it is used, is wrong; one line names the file, the key and what was expected."""


@dataclass(frozen=True, slots=True)
class MapPoint:
    """One value of the device.

    Its place: `address`, or `words` (one address per word, in the order given by `word_order`), or
    `offset` from the id register of the first of `models` the device has.
    `scale_factor` names a sunssf point; `scale_by` names points whose values multiply the raw number.
    `positive` is what a positive raw number means. `wraps_at` counts raw units.
    """

    name: str
    function: int
    type: RegisterType
    address: int | None = None
    words: tuple[int, ...] = ()
    models: tuple[int, ...] = ()
    offset: int | None = None
    document_address: int | None = None
    word_order: WordOrder = "HL"
    scale: Decimal = Decimal(1)
    scale_factor: str | None = None
    scale_by: tuple[str, ...] = ()
    unit: str = "1"
    positive: Positive = "none"
    sentinels: tuple[Sentinel, ...] = ()
    zero_is_missing: bool = False
    zero_is_missing_with: tuple[str, ...] = ()
    absolute: bool = False
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    poll: Poll = "slow"
    wraps_at: int | None = None
    resolution: Decimal | None = None
    finer: str | None = None
    vendor_sign: bool = False
    symbols: Mapping[int, str] | None = None
    source: str = ""
    note: str = ""

    @property
    def helpers(self) -> tuple[str, ...]:
        """Names of the points needed to decode this one."""
        factor = (self.scale_factor,) if self.scale_factor else ()
        return (*factor, *self.scale_by, *self.zero_is_missing_with)


@dataclass(frozen=True, slots=True)
class DerivedValue:
    """A value computed from points: a signed sum, or a magnitude whose direction is in another point.

    The magnitude becomes negative if the direction equals one of `negative_values`, or has one of
    `negative_bits`.
    """

    name: str
    unit: str
    positive: Positive
    plus: tuple[str, ...] = ()
    minus: tuple[str, ...] = ()
    magnitude: str | None = None
    direction: str | None = None
    negative_values: tuple[int, ...] = ()
    negative_bits: int = 0
    source: str = ""

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the points it is computed from."""
        both = (self.magnitude, self.direction) if self.magnitude and self.direction else ()
        return (*self.plus, *self.minus, *both)


@dataclass(frozen=True, slots=True)
class MapRole:
    """Which points describe one measuring point: lifetime counters by name, and the power.

    For a counter without a counterpart in the role, `swapped` names what to read if the wires are swapped.
    `derived` means that there is no counter, so energy must be integrated from power;
    `shape_by_power` means that the counter is too coarse for 15 minutes and power shows how its steps are spread.
    `only_while` names a state point and the values in which the registers are alive; in others they stand still.
    `counts` is given for pv and wind, `side` for batteries: the side of the inverter on which the values are taken.
    """

    name: RoleName
    counters: Mapping[str, str]
    swapped: Mapping[str, str]
    power: str | None
    derived: bool
    shape_by_power: bool
    counts: Counted | None = None
    side: BatterySide | None = None
    only_while: tuple[str, tuple[int, ...]] | None = None


@dataclass(frozen=True, slots=True)
class Serial:
    """Line settings of a serial bus."""

    baud: int
    bits: int
    parity: Literal["N", "E", "O"]
    stop: int


@dataclass(frozen=True, slots=True)
class Transport:
    """How the device must be contacted; `max_clients` = 1 means the agent must be its only client."""

    framing: tuple[Framing, ...]
    tcp_port: int | None
    rtu: Serial | None
    unit_ids: tuple[int, ...]
    timeout_ms: int
    connect_delay_ms: int
    request_gap_ms: int
    max_registers: int
    max_clients: int | None

    @property
    def sends_by_itself(self) -> bool:
        """Whether the meter sends telegrams that nobody asks for, so that no register can be tried."""
        return {*self.framing} <= {"p1", "sml", "mqtt"}


@dataclass(frozen=True, slots=True)
class IdentityCheck:
    """One read and what it must return; without a prefix, values or range, any response passes."""

    function: int
    address: int
    type: RegisterType
    word_order: WordOrder
    prefix: str | None
    values: tuple[int, ...]
    minimum: Decimal | None
    maximum: Decimal | None


@dataclass(frozen=True, slots=True)
class IdentifyRule:
    """One way to recognise the family: every part that is given must match."""

    checks: tuple[IdentityCheck, ...]
    sunspec_models: tuple[int, ...]
    manufacturer: str | None
    model: str | None
    certain: bool


@dataclass(frozen=True, slots=True)
class Metering:
    """What a meter's import and export counters count, and how well they are certified; each with its source."""

    phases: Phases
    phases_source: str
    metrology: Metrology
    metrology_source: str


@dataclass(frozen=True, slots=True)
class DeviceMap:
    """A checked device family. `points` may contain the same name several times, for different SunSpec models.

    `inverted_for` lists manufacturers known to report the `vendor_sign` points with the opposite sign.
    `variants` are complete maps of their own; each has the family's id.
    """

    id: str
    version: int
    vendor: str
    models: tuple[str, ...]
    kinds: tuple[str, ...]
    verification: str
    quality: Quality
    sources: tuple[str, ...]
    caveats: tuple[str, ...]
    transport: Transport
    blocks: BlockLimits
    atomic: tuple[tuple[str, ...], ...]
    identify: tuple[IdentifyRule, ...]
    points: tuple[MapPoint, ...]
    derived: tuple[DerivedValue, ...]
    roles: Mapping[RoleName, MapRole]
    inverted_for: tuple[str, ...]
    metering: Metering | None = None
    variants: tuple["MapVariant", ...] = ()

    @property
    def is_sunspec(self) -> bool:
        """Whether positions depend on a walk over the device's models."""
        return any(point.offset is not None for point in self.points)

    def named(self, name: str) -> tuple[MapPoint, ...]:
        """All points of this name."""
        return tuple(point for point in self.points if point.name == name)

    def varied(self, variant: str | None) -> "DeviceMap":
        """The map of a variant, or this one for None. Raises MapError, naming those there are."""
        if variant is None:
            return self
        for each in self.variants:
            if each.name == variant:
                return each.map
        known = ", ".join(each.name for each in self.variants)
        expected = f"one of {known}" if known else "none, this family has no variants"
        raise MapError(f"{self.id}: variant: expected {expected}, found {variant!r}")


@dataclass(frozen=True, slots=True)
class MapVariant:
    """A firmware, access path, model or setting that moves or rescales registers; the texts are for people."""

    name: str
    title: str
    firmware: str | None
    path: str | None
    model: str | None
    map: DeviceMap


PointValues = Mapping[str, Value]
