"""A Modbus device on a wire in memory that restarts again and again, with a known true flow behind its registers.

What its counters do at a restart: `keeps` (they count on, as where only the part that speaks restarts), `saves` (back
to what was written to its memory, ten minutes ago at most), `begins_at_0`. While it starts it refuses connections or is
silent, and then it may show 0, its sentinels or "busy" for a while. Some restarts cut an answer in the middle.
"""

import asyncio
import random
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

from protocols.maps.model import POWER_SIGN, W_PER_UNIT, WH_PER_UNIT, RoleName
from protocols.maps.registers import Value
from simulator.commands.device import home_of_family
from simulator.devices.any_family import fits_registers
from simulator.devices.image import DeviceImage
from simulator.world.families import family_map
from simulator.world.street import Street
from tests.edge_agent.metering.faulty_device import TICK_S, Flow
from tests.edge_agent.warped_loop import Wire
from tests.simulator.conftest import FIRST_DAY, NOON_S

STREET = Street(seed=7, homes=12, first_day=FIRST_DAY)
SAVED_EVERY_S = 600
ANSWERS_AFTER_S = 0.05
Counts = Literal["keeps", "saves", "begins_at_0"]
Wakes = Literal["at once", "zero", "sentinel", "busy"]
WAKES: tuple[Wakes, ...] = ("at once", "zero", "sentinel", "busy")


@dataclass(frozen=True, slots=True)
class Restart:
    """Seconds since the start: off from `off_s`, answers from `up_s`, shows its true values from `awake_s`."""

    off_s: float
    up_s: float
    awake_s: float
    wakes: Wakes
    refuses: bool


def make_restarts(chance: random.Random, count: int) -> list[Restart]:
    """In a row: some at the boundary of a quarter hour, some in the middle of an answer, some twice within minutes."""
    found, at_s = [], 3 * 3600.0
    for _ in range(count):
        off_s = at_s
        if chance.random() < 0.4:
            off_s = -(-at_s // 900) * 900 - chance.choice((0.0, 1.0, 30.0, 60.0))
        elif chance.random() < 0.4:
            off_s = -(-at_s // 60) * 60 + 0.03
        up_s = off_s + chance.choice((5, 40, 130, 400))
        wakes = chance.choice(WAKES)
        awake_s = up_s if wakes == "at once" else up_s + chance.choice((20, 70, 200))
        found.append(Restart(off_s, up_s, awake_s, wakes, chance.random() < 0.5))
        at_s = awake_s + (chance.uniform(120, 600) if chance.random() < 0.1 else chance.uniform(6600, 12_000))
    return found


class RestartingDevice:
    """The far end of a `Wire`. `flow` is what truly flowed."""

    def __init__(
        self, family: str, role: RoleName, *, counts: Counts, restarts: list[Restart], flow: Flow, begins_wh: int
    ) -> None:
        self.role, self.counts, self.restarts, self.flow, self.begins_wh = role, counts, restarts, flow, begins_wh
        device_map = family_map(family)
        home, unit = home_of_family(STREET, device_map)
        image = DeviceImage(
            replace(unit, families=(family,)), home, physics=STREET.physics(home.id), seed=7, device_map=device_map
        )
        self._resolved = image.parts[0].resolved
        self._base = dict(image.words(NOON_S))
        self._values = self._resolved.decode(self._base)
        self._areas = image.areas
        self._began_s = 0.0
        self._shown: tuple[float, dict[tuple[int, int], int]] = (-1.0, {})
        self._wires: list[Wire] = []
        self.cut_off = 0

    def start(self, now_s: float) -> None:
        """The clock's reading at second 0; every restart hangs up."""
        self._began_s = now_s
        loop = asyncio.get_running_loop()
        for each in self.restarts:
            loop.call_at(now_s + each.off_s, self._hang_up)

    def now_s(self) -> float:
        return asyncio.get_running_loop().time() - self._began_s

    def restart_at(self, at_s: float) -> Restart | None:
        """The restart that is not over at this time."""
        return next((each for each in self.restarts if each.off_s <= at_s < each.awake_s), None)

    def counter_wh(self, half: int, at_s: float) -> float:
        """What the counter has counted, after the restarts so far. Its register shows whole steps of it."""
        energy_wh = self.flow.energy_wh
        if self.counts == "keeps":
            return self.begins_wh + energy_wh(half, at_s)
        total_wh, from_s = float(self.begins_wh), 0.0
        for each in self.restarts:
            if each.off_s > at_s:
                break
            kept_s = each.off_s
            if self.counts == "saves":
                kept_s = max(from_s, each.off_s // SAVED_EVERY_S * SAVED_EVERY_S)
            total_wh += energy_wh(half, kept_s) - energy_wh(half, from_s)
            total_wh = 0.0 if self.counts == "begins_at_0" else total_wh
            from_s = each.up_s
        return total_wh + energy_wh(half, max(at_s, from_s)) - energy_wh(half, from_s)

    def accept(self, wire: Wire) -> None:
        restart = self.restart_at(self.now_s())
        if restart and self.now_s() < restart.up_s and restart.refuses:
            raise ConnectionRefusedError(111, "refused")
        self._wires.append(wire)

    def receive(self, data: bytes, wire: Wire) -> None:
        at_s, pdu = self.now_s(), data[7:]
        restart = self.restart_at(at_s)
        if restart and at_s < restart.up_s:
            return
        reply = bytes([pdu[0] | 0x80, 6])
        if restart is None or restart.wakes != "busy":
            reply = self._read(pdu, at_s, restart)
        frame = data[:4] + (len(reply) + 1).to_bytes(2) + data[6:7] + reply
        if any(0 < each.off_s - at_s < ANSWERS_AFTER_S for each in self.restarts):
            # It goes down while it answers.
            wire.deliver(frame[: len(frame) // 2], 0.01)
            self.cut_off += 1
        else:
            wire.deliver(frame, ANSWERS_AFTER_S)

    def _read(self, pdu: bytes, at_s: float, restart: Restart | None) -> bytes:
        function, first, count = pdu[0], int.from_bytes(pdu[1:3]), int.from_bytes(pdu[3:5])
        if not any(each.function == function and each.address <= first < each.end for each in self._areas):
            return bytes([function | 0x80, 2])
        words = self._words(at_s, restart)
        content = b"".join(words.get((function, at), 0).to_bytes(2) for at in range(first, first + count))
        return bytes([function, len(content)]) + content

    def _words(self, at_s: float, restart: Restart | None) -> dict[tuple[int, int], int]:
        if self._shown[0] == at_s:
            return self._shown[1]
        role = self._resolved.device_map.roles[self.role]
        shown: dict[str, Value] = {}
        for half, name in enumerate(role.counters.values()):
            point = self._resolved.points[name].point
            unit_wh = WH_PER_UNIT[point.unit]
            value: Value = Decimal(round(self.counter_wh(half, at_s) * 1000)) / 1000 / unit_wh
            if point.wraps_at and isinstance(value, Decimal):
                value %= point.wraps_at * (self._resolved.step_of(name, self._values) or Decimal(1))
            shown[name] = self._waking(name, value, restart)
        if role.power:
            point = self._resolved.points[role.power].point
            watts = round(float(self.flow.power_w[int(at_s // TICK_S)]))
            watts *= POWER_SIGN[self.role].get(point.positive, 1)
            shown[role.power] = self._waking(role.power, Decimal(watts) / W_PER_UNIT[point.unit], restart)
        names = {helper for name in shown for helper in self._resolved.points[name].point.helpers}
        helpers = {name: self._values[name] for name in names if name not in shown}
        self._shown = at_s, self._base | self._resolved.encode({**helpers, **shown})
        return self._shown[1]

    def _waking(self, name: str, value: Value, restart: Restart | None) -> Value:
        if restart is None or restart.wakes == "at once":
            return value
        has_sentinel = fits_registers(self._resolved.points[name].point, None, self._values)
        return None if restart.wakes == "sentinel" and has_sentinel else Decimal(0)

    def _hang_up(self) -> None:
        for wire in self._wires:
            wire.close()
        self._wires.clear()
