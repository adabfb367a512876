"""Each scripted fault does what it says for as long as it says, and a wrong script is refused in one line."""

import asyncio
import contextlib
from decimal import Decimal

import pytest

from edge_agent.devices.line import DeviceReadError, LineSettings
from edge_agent.settings import Endpoint
from protocols.maps.model import RoleName
from protocols.maps.roles import role_values
from simulator.devices.faults import KINDS, Fault, FaultScript, parse_script
from simulator.devices.image import DeviceImage
from simulator.devices.wire_faults import WIRE_FAULTS
from simulator.errors import SimulatorError
from simulator.world.site import DAY_S, STEP_S
from simulator.world.street import Street
from tests.edge_agent.modbus_stand import link_to
from tests.simulator.modbus_wire import exchange, images_of, read_frame, served

SUNSPEC, HUAWEI = "h01", "h07"
MIDNIGHT_S = 20601 * DAY_S + 23 * 3600


def script_of(kind: str, **more: object) -> FaultScript:
    return FaultScript([Fault(SUNSPEC, "solar", 1, kind, **more)])  # type: ignore[arg-type]


async def ask(street: Street, script: FaultScript, now_s: float, within_s: float = 5.0) -> bytes:
    async with served(street, SUNSPEC, now_s=now_s, script=script) as (_, port):
        return (await exchange(port, read_frame(40000, 2), within_s=within_s))[0]


async def test_busy_silent_wrong_unit_and_short(street: Street, noon_s: int) -> None:
    assert await ask(street, script_of("busy"), noon_s) == b"\x01\x83\x06"
    assert await ask(street, script_of("wrong_unit"), noon_s) == b"\x02\x03\x04SunS"
    assert await ask(street, script_of("short_answer"), noon_s) == b"\x01\x03\x02Su"
    with pytest.raises(TimeoutError):
        await ask(street, script_of("silent"), noon_s, within_s=0.3)


async def test_slow_answers_after_its_delay(street: Street, noon_s: int) -> None:
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    assert await ask(street, script_of("slow", delay_s=0.4), noon_s) == b"\x01\x03\x04SunS"
    assert loop.time() - began_s >= 0.4


@pytest.mark.parametrize("kind", ["busy", "silent", "slow", "wrong_unit", "short_answer"])
async def test_a_fault_ends_when_its_time_is_over(street: Street, noon_s: int, kind: str) -> None:
    script = script_of(kind, from_s=noon_s - 7200, to_s=noon_s)
    assert script.active(SUNSPEC, street.home(SUNSPEC).units[0], noon_s - 1) is not None
    assert await ask(street, script, noon_s) == b"\x01\x03\x04SunS"


def values(
    street: Street, home: str, script: FaultScript, *, at_s: float, role: RoleName = "pv"
) -> tuple[object, object]:
    image: DeviceImage = images_of(street, street.home(home), "solar", script)[0]
    part = image.parts[0]
    read = role_values(part.resolved, part.resolved.decode(image.words(at_s)), role)
    return read.production_wh, read.power_w


def test_a_counter_reset_counts_from_zero_and_on(street: Street, noon_s: int) -> None:
    script = script_of("counter_reset", from_s=noon_s)
    before, _ = values(street, SUNSPEC, script, at_s=noon_s - STEP_S)
    after, _ = values(street, SUNSPEC, script, at_s=noon_s + 3600)
    physics = street.physics(SUNSPEC)
    true_wh = (physics.counted_ws("solar", noon_s + 3600) - physics.counted_ws("solar", noon_s)) / 3600
    assert isinstance(before, Decimal)
    assert isinstance(after, Decimal)
    assert before > 100_000
    assert float(after) == pytest.approx(true_wh, abs=1)


@pytest.mark.parametrize(
    ("home", "reads", "expected"),
    [(HUAWEI, "zero", (0, 0)), (HUAWEI, "sentinel", (None, None)), (SUNSPEC, "zero", (None, 0))],
)
def test_night_sleep_shows_zero_or_nothing_only_without_sun(
    street: Street, noon_s: int, home: str, reads: str, expected: tuple[object, object]
) -> None:
    script = FaultScript([Fault(home, "solar", 1, "night_sleep", reads=reads)])  # type: ignore[arg-type]
    assert values(street, home, script, at_s=MIDNIGHT_S) == expected
    by_day, power_w = values(street, home, script, at_s=noon_s)
    assert isinstance(by_day, Decimal)
    assert by_day > 100_000
    assert isinstance(power_w, Decimal)
    assert power_w > 0


def test_the_meter_behind_a_sleeping_inverter_stays_awake(street: Street) -> None:
    script = FaultScript([Fault(HUAWEI, "solar", 1, "night_sleep", reads="zero")])
    image = images_of(street, street.home(HUAWEI), "solar", script)[0]
    part = image.parts[0]
    read = role_values(part.resolved, part.resolved.decode(image.words(MIDNIGHT_S)), "grid")
    assert read.import_wh is not None
    assert read.import_wh > 0
    assert float(read.power_w or 0) == street.physics(HUAWEI).state(MIDNIGHT_S).grid_w


async def test_night_sleep_may_be_silence(street: Street, noon_s: int) -> None:
    script = script_of("night_sleep", reads="silent")
    with pytest.raises(TimeoutError):
        await ask(street, script, MIDNIGHT_S, within_s=0.3)
    assert await ask(street, script, noon_s) == b"\x01\x03\x04SunS"


def test_a_script_is_read_from_toml(street: Street, noon_s: int) -> None:
    text = "\n".join(
        f'[[fault]]\nhome = "h01"\ndevice = "meter"\nkind = "{kind}"\n'
        "from = 2026-05-27T10:00:00Z\nto = '2026-05-29T10:00:00Z'"
        for kind in KINDS
    )
    script = parse_script(text, street.homes, name="faults.toml")
    unit = street.home("h01").units[0]
    fault = script.active("h01", unit, noon_s)
    assert fault is not None
    assert fault.kind == "busy"
    assert script.active("h01", unit, noon_s - 3 * DAY_S) is None
    assert script.sleeps_as("h01", unit, noon_s) == "zero"
    assert script.active("h02", street.home("h02").units[0], noon_s) is None


FAULT = '[[fault]]\nhome = "h01"\ndevice = "meter"\nkind = "busy"\n'


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("fault = 3", "expected only [[fault]] tables"),
        ("nothing", "not valid TOML"),
        ("[other]", "expected only [[fault]] tables"),
        (FAULT.replace("h01", "h99"), "fault[0]: home: expected one of h01 to h12, found 'h99'"),
        (FAULT.replace("meter", "boiler"), "fault[0]: device: expected one of meter, inverter, found 'boiler'"),
        (FAULT.replace("busy", "angry"), "fault[0]: kind: expected one of busy, slow"),
        (FAULT + "speed = 3", "fault[0]: unknown key 'speed'"),
        (FAULT + "from = 3", "fault[0]: from: expected a time like"),
        (FAULT + "delay_s = 'long'", "fault[0]: delay_s: expected 0 to 600 seconds"),
        (FAULT + "from = 2026-05-28\nto = 2026-05-27", "fault[0]: to: expected a time after from"),
        (
            FAULT.replace("h01", "h02").replace("busy", "night_sleep"),
            "fault[0]: kind: night_sleep needs a home with solar panels",
        ),
        ("x" * 300_000, "longer than 262144 characters"),
    ],
)
def test_a_wrong_script_gets_one_clear_line(street: Street, text: str, complaint: str) -> None:
    with pytest.raises(SimulatorError) as caught:
        parse_script(text, street.homes, name="faults.toml")
    assert complaint in str(caught.value)
    assert str(caught.value).startswith("faults.toml: ")
    assert "\n" not in str(caught.value)


async def test_frozen_registers_stand_still_and_go_on_afterwards(street: Street, noon_s: int) -> None:
    script = FaultScript([Fault(HUAWEI, "solar", 1, "frozen", from_s=noon_s, to_s=noon_s + 7200)])
    unit = next(unit for unit in street.home(HUAWEI).units if unit.link == "solar")
    assert unit.unit == 1
    at = {later: values(street, HUAWEI, script, at_s=noon_s + later) for later in (0, 3600, 7200)}
    assert at[0] == at[3600] != at[7200]


@pytest.mark.parametrize("kind", [*WIRE_FAULTS, "hostile"])
async def test_no_wire_fault_gives_the_agent_a_wrong_word(street: Street, noon_s: int, kind: str) -> None:
    shown = images_of(street, street.home(SUNSPEC), "solar")[0].words(noon_s)
    async with served(street, SUNSPEC, now_s=noon_s, script=script_of(kind)) as (_, port):
        link = link_to(Endpoint("tcp", "127.0.0.1", port), LineSettings(timeout_s=0.1))
        for first, count in ((40000, 20), (40070, 20), (40070, 52)) * (8 if kind == "hostile" else 1):
            with contextlib.suppress(DeviceReadError):
                words = await link.read_words(1, 3, address=first, count=count)
                assert words == [shown[3, at] for at in range(first, first + count)]
        await link.close()
