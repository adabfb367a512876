"""What a register map says, as plain frozen records: the device, how to talk to it, its points and its roles.

Reading the text is `map_grammar`, checking it is `map_lint`, using it is `device_maps`.
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
Framing = Literal["tcp", "rtu", "rtu_over_tcp", "rtu_over_udp", "udp", "solarman_v5"]
RoleName = Literal["grid", "pv", "wind", "battery", "load"]
Sign = Literal["as_documented", "inverted"]

COUNTERS_OF_ROLE: Mapping[RoleName, tuple[str, ...]] = {
    "grid": ("import", "export"),
    "pv": ("production",),
    "wind": ("production",),
    "battery": ("charge", "discharge"),
    "load": ("import",),
}
# What a positive raw power of this meaning counts for in the role, in our convention:
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
    """A register map, or its use, is wrong; one line names the file, the key and what was expected."""


@dataclass(frozen=True, slots=True)
class MapPoint:
    """One value of the device.

    Where it lies: `address`, or `words` (one address per word, in the order `word_order` speaks of), or
    `offset` from the id register of the first of `models` the device has.
    `scale_factor` names a sunssf point, `scale_by` points whose values multiply the raw number.
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
    """A value computed from points: a signed sum, or a magnitude whose direction another point tells.

    The magnitude turns negative when the direction equals one of `negative_values`, or has one of
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
    """Which points speak for one measuring place: lifetime counters by name, and the power.

    `swapped` names, for a counter without a twin in the role, what to read where the wires are swapped.
    `derived` admits that there is no counter and energy must be integrated from power;
    `shape_by_power` that the counter is too coarse for 15 minutes and power tells how its steps spread.
    """

    name: RoleName
    counters: Mapping[str, str]
    swapped: Mapping[str, str]
    power: str | None
    derived: bool
    shape_by_power: bool


@dataclass(frozen=True, slots=True)
class Serial:
    """Line settings of a serial bus."""

    baud: int
    bits: int
    parity: Literal["N", "E", "O"]
    stop: int


@dataclass(frozen=True, slots=True)
class Transport:
    """How the device wants to be spoken to; `max_clients` = 1 means the agent must own the connection."""

    framing: tuple[Framing, ...]
    tcp_port: int | None
    rtu: Serial | None
    unit_ids: tuple[int, ...]
    timeout_ms: int
    connect_delay_ms: int
    request_gap_ms: int
    max_registers: int
    max_clients: int | None


@dataclass(frozen=True, slots=True)
class IdentityCheck:
    """One read and what it must show; with neither prefix, values nor range, any answer will do."""

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
    """One way to recognise the family: every part given must hold."""

    checks: tuple[IdentityCheck, ...]
    sunspec_models: tuple[int, ...]
    manufacturer: str | None
    model: str | None
    certain: bool


@dataclass(frozen=True, slots=True)
class DeviceMap:
    """A device family, checked. `points` may hold one name several times, for different SunSpec models.

    `inverted_for` lists manufacturers known to report the `vendor_sign` points the other way round.
    """

    id: str
    version: int
    vendor: str
    models: tuple[str, ...]
    kinds: tuple[str, ...]
    verification: str
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

    @property
    def is_sunspec(self) -> bool:
        """Whether positions depend on a walk over the device's models."""
        return any(point.offset is not None for point in self.points)

    def named(self, name: str) -> tuple[MapPoint, ...]:
        """All points of this name."""
        return tuple(point for point in self.points if point.name == name)


PointValues = Mapping[str, Value]
