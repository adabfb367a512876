"""Faults by script: which device misbehaves how, from when to when, in simulated time.

Defines the faults; `modbus_server` answers wrongly on the wire, `image` shows wrong values.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf
from typing import Literal, get_args

from protocols.toml_text import TomlTextError, read_toml
from simulator.devices.value_faults import SHOWN_FAULTS, ShownFault
from simulator.devices.wire_faults import WIRE_FAULTS, WireFault
from simulator.errors import SimulatorError
from simulator.world.homes import ModbusUnit, SimulatedHome
from simulator.world.physics import HomePhysics
from simulator.world.site import STEP_S

FaultKind = WireFault | ShownFault | Literal["slow", "hostile", "frozen", "counter_reset", "night_sleep"]
Reads = Literal["zero", "sentinel", "silent"]
VALUE_FAULTS: tuple[FaultKind, ...] = ("frozen", "counter_reset", "night_sleep", *SHOWN_FAULTS)
KINDS: tuple[FaultKind, ...] = (
    "busy",
    "slow",
    "hostile",
    *(each for each in WIRE_FAULTS if each != "busy"),
    *VALUE_FAULTS,
)
MAX_SCRIPT_CHARACTERS = 256 * 1024
_KEYS = {"home", "device", "kind", "from", "to", "delay_s", "reads"}


@dataclass(frozen=True, slots=True)
class Fault:
    """One misbehaviour of one unit. Units: from and to in Unix seconds of simulated time, `delay_s` in real seconds.

    `hostile`: every other request gets one of the wire faults, by chance. `frozen`: the registers stand still.
    `counter_reset` sets the counters to 0 at `from_s`; they count from there until `to_s`.
    `night_sleep`: without sun the device answers as `reads` says. For the rest see `wire_faults` and `value_faults`.
    """

    home: str
    link: str
    unit: int
    kind: FaultKind
    from_s: float = -inf
    to_s: float = inf
    delay_s: float = 2.0
    reads: Reads = "zero"


class FaultScript:
    """All scripted faults of a street."""

    def __init__(self, faults: Sequence[Fault] = ()) -> None:
        self._by_unit: dict[tuple[str, str, int], list[Fault]] = {}
        for fault in faults:
            self.add(fault)

    def add(self, fault: Fault) -> None:
        """Add a fault, also while the street is running."""
        self._by_unit.setdefault((fault.home, fault.link, fault.unit), []).append(fault)

    def active(self, home: str, unit: ModbusUnit, at_s: float) -> Fault | None:
        """The wire fault in effect at this instant; the first in the script if there are several."""
        for fault in self._of(home, unit):
            if fault.kind not in VALUE_FAULTS and fault.from_s <= at_s < fault.to_s:
                return fault
        return None

    def counter_base_ws(
        self, home: str, unit: ModbusUnit, *, flow: str, at_s: float, physics: HomePhysics
    ) -> int | None:
        """The counter's value when it was last reset to 0, None if it never was."""
        resets = [each.from_s for each in self._of(home, unit) if _holds(each, "counter_reset", at_s)]
        first_s = physics.first_day * 86400
        latest_s = max((each for each in resets if each > first_s), default=None)
        return None if latest_s is None else physics.counted_ws(flow, int(latest_s // STEP_S) * STEP_S)

    def frozen_at_s(self, home: str, unit: ModbusUnit, at_s: float) -> float:
        """The instant whose values are shown at `at_s`: the same one unless the registers are frozen."""
        held = [each.from_s for each in self._of(home, unit) if _holds(each, "frozen", at_s) and each.from_s > -inf]
        return min(at_s, *held) if held else at_s

    def sleeps_as(self, home: str, unit: ModbusUnit, at_s: float) -> str | None:
        """How a unit answers while it sleeps, None if no sleep is scripted."""
        return next((each.reads for each in self._of(home, unit) if _holds(each, "night_sleep", at_s)), None)

    def shown_faults(self, home: str, unit: ModbusUnit, at_s: float) -> Sequence[tuple[str, float]]:
        """The faults of the values shown, in the script's order, and since when each holds."""
        kinds = SHOWN_FAULTS
        return [(each.kind, each.from_s) for each in self._of(home, unit) for kind in kinds if _holds(each, kind, at_s)]

    def _of(self, home: str, unit: ModbusUnit) -> Sequence[Fault]:
        return self._by_unit.get((home, unit.link, unit.unit), ())


def parse_script(text: str, homes: Sequence[SimulatedHome], *, name: str) -> FaultScript:
    """The script in a TOML text of `[[fault]]` tables. `name` identifies the file in errors.

    Raises: SimulatorError.
    """
    if len(text) > MAX_SCRIPT_CHARACTERS:
        raise SimulatorError(f"{name}: longer than {MAX_SCRIPT_CHARACTERS} characters")
    try:
        content = read_toml(text)
    except TomlTextError as cause:
        raise SimulatorError(f"{name}: not valid TOML: {cause}") from None
    entries = content.get("fault", [])
    if set(content) - {"fault"} or not isinstance(entries, list):
        raise SimulatorError(f"{name}: expected only [[fault]] tables")
    return FaultScript([_fault(entry, homes, where=f"{name}: fault[{place}]") for place, entry in enumerate(entries)])


def _fault(entry: object, homes: Sequence[SimulatedHome], *, where: str) -> Fault:
    if not isinstance(entry, dict):
        raise SimulatorError(f"{where}: expected a table")
    if unknown := set(entry) - _KEYS:
        raise SimulatorError(f"{where}: unknown key {sorted(unknown)[0]!r}, expected {', '.join(sorted(_KEYS))}")
    home = next((each for each in homes if each.id == entry.get("home")), None)
    if home is None:
        known = f"{homes[0].id} to {homes[-1].id}"
        raise SimulatorError(f"{where}: home: expected one of {known}, found {entry.get('home')!r}")
    device = next((each for each in home.devices if each.name == entry.get("device")), None)
    if device is None:
        known = ", ".join(each.name for each in home.devices)
        raise SimulatorError(f"{where}: device: expected one of {known}, found {entry.get('device')!r}")
    kind = _one_of(entry, "kind", KINDS, where)
    reads = _one_of({"reads": "zero", **entry}, "reads", get_args(Reads), where)
    if kind == "night_sleep" and home.roof is None:
        raise SimulatorError(f"{where}: kind: night_sleep needs a home with solar panels")
    delay_s = entry.get("delay_s", 2.0)
    if not isinstance(delay_s, int | float) or isinstance(delay_s, bool) or not 0 < delay_s <= 600:
        raise SimulatorError(f"{where}: delay_s: expected 0 to 600 seconds, found {delay_s!r}")
    from_s, to_s = _instant(entry, "from", -inf, where=where), _instant(entry, "to", inf, where=where)
    if from_s >= to_s:
        raise SimulatorError(f"{where}: to: expected a time after from")
    return Fault(home.id, device.link, device.unit, kind, from_s, to_s, float(delay_s), reads)  # type: ignore[arg-type]


def _one_of(entry: Mapping[str, object], key: str, allowed: Sequence[str], where: str) -> str:
    found = entry.get(key)
    if found not in allowed:
        raise SimulatorError(f"{where}: {key}: expected one of {', '.join(allowed)}, found {found!r}")
    return str(found)


def _instant(entry: Mapping[str, object], key: str, default: float, *, where: str) -> float:
    found = entry.get(key)
    if found is None:
        return default
    if isinstance(found, datetime):
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    try:
        moment = datetime.fromisoformat(str(found))
    except ValueError:
        raise SimulatorError(f"{where}: {key}: expected a time like 2026-06-01T10:00:00Z, found {found!r}") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _holds(fault: Fault, kind: FaultKind, at_s: float) -> bool:
    return fault.kind == kind and fault.from_s <= at_s < fault.to_s
