"""What `read` shows of a device: every point, as people write numbers, on 80 columns; every word for programs."""

import struct
from decimal import Decimal
from typing import Any

from edge_agent.devices.reader import Device
from edge_agent.devices.readout import as_record, as_table, read_once
from tests.edge_agent.devices.test_reader import device, linked, sunspec_words
from tests.edge_agent.modbus_stand import Stand, shipped


def float_words(**values: float) -> dict[tuple[int, int], int]:
    """Input registers of an SDM630: float_words(a0=229.6) is 229.6 V at register 0."""
    words = {(4, at): 0 for at in range(400)}
    for name, value in values.items():
        words |= {
            (4, int(name[1:]) + at): word for at, word in enumerate(struct.unpack(">2H", struct.pack(">f", value)))
        }
    return words


async def test_floats_are_shown_as_they_were_meant_and_counters_as_they_are_counted() -> None:
    stand, meter = Stand(float_words(a0=229.6, a30=0.98, a52=-409.2, a72=2033.8453)), device("eastron-sdm630")
    link = await linked(stand)
    shown = as_table(meter, await meter.read(link))
    rows = {line.split()[0]: line.split()[1:] for line in shown.splitlines()[3:]}
    assert rows["voltage_l1"] == ["229.6", "V", "4365", "999A"]
    assert rows["active_power"][:2] == ["-409.2", "W"]
    assert rows["energy_import_total"][:2] == ["2033.8453", "kWh"]
    assert shown.splitlines()[-1] == "as grid: import 2033845 Wh, export 0 Wh, power -409 W (fed into the grid)"
    await link.close()


async def test_a_device_of_another_family_is_doubted() -> None:
    doubt = "this does not look like eastron-sdm630: check map, connect and unit, and compare with the display"
    for words, expected in ((float_words(a0=229.6, a70=50.0), False), (float_words(a0=3.0), True)):
        link, meter = await linked(Stand(words)), device("eastron-sdm630")
        assert (doubt in as_table(meter, await meter.read(link)).splitlines()) is expected
        await link.close()
    link, inverter = await linked(Stand(sunspec_words())), device("sunspec-inverter", "pv")
    assert "does not look like" not in as_table(inverter, await inverter.read(link))
    await link.close()


async def test_texts_are_cut_for_people_and_whole_for_programs() -> None:
    words = sunspec_words() | {(3, 40004 + at): 0x4142 for at in range(16)}
    link = await linked(Stand(words))
    inverter = device("sunspec-inverter", "pv")
    readout = await inverter.read(link)
    shown = as_table(inverter, readout)
    assert max(map(len, shown.splitlines())) <= 80
    assert "4142 .. (16)" in shown
    points = {point["name"]: point for point in as_record(inverter, readout)["points"]}
    assert points["manufacturer"]["words"] == [0x4142] * 16
    assert points["manufacturer"]["value"] == "AB" * 16
    assert len(points) == len(inverter.resolved.points)
    await link.close()


async def test_what_is_refused_and_what_is_not_available_is_said() -> None:
    stand, meter = Stand(float_words(a0=float("nan"))), device("eastron-sdm630")
    stand.holes = {(4, 2)}
    link = await linked(stand)
    shown = as_table(meter, await meter.read(link))
    lines = {line.split()[0]: line for line in shown.splitlines()[3:]}
    assert "not available" in lines["voltage_l1"]
    assert "refused" in lines["voltage_l2"]
    await link.close()


async def read_alone(stand: Stand, under_test: Device) -> tuple[str, dict[str, Any], list[str]]:
    """What `read` prints as a table and as JSON, and its complaints."""
    link = await linked(stand)
    found, said = await read_once([(link, [under_test])], only=None)
    tables, records = [as_table(*each) for each in found], [as_record(*each) for each in found]
    await stand.stop()
    return "".join(tables), records[0] if records else {}, said


async def test_a_device_that_refuses_almost_everything_is_read() -> None:
    """SDM72D of the first version: active power, both energies and their sum; everything else is refused."""
    stand, meter = Stand(float_words(a52=250, a72=12.5, a74=3)), device("eastron-sdm630")
    stand.holes = {(4, at) for at in range(400)} - {(4, at) for at in (52, 53, 72, 73, 74, 75, 342, 343)}
    shown, record, said = await read_alone(stand, meter)
    assert said == []
    assert shown.splitlines()[-1] == "as grid: import 12500 Wh, export 3000 Wh, power 250 W (drawn from the grid)"
    assert sum(point["refused"] for point in record["points"]) == 26
    assert record["warnings"] == [
        "this does not look like eastron-sdm630: check map, connect and unit, and compare with the display"
    ]


async def test_an_inverter_without_its_meter_promises_no_grid_energy() -> None:
    words = shipped("huawei-sun2000").encode({"active_power": Decimal(900), "energy_production_total": Decimal(70)})
    stand, inverter = Stand(words), device("huawei-sun2000", "pv", "grid")
    stand.holes = {(3, at) for at in range(37_100, 37_138)}
    shown, record, said = await read_alone(stand, inverter)
    assert said == []
    assert shown.splitlines()[-2].startswith("as pv: production 70000 Wh, power 900 W")
    assert shown.splitlines()[-1] == (
        "as grid: nothing available; no energy is counted as import or export: the device refuses the register"
    )
    assert [role["role"] for role in record["roles"]] == ["pv", "grid"]
    assert record["roles"][1]["import_wh"] is None


async def test_a_meter_that_is_offline_with_standing_counters_is_not_offered_as_grid_energy() -> None:
    meter = {"meter.energy_import_total": Decimal(500), "meter.active_power": Decimal(-1200)}
    for status, expected in (
        (1, "as grid: import 500000 Wh, export 0 Wh, power 1200 W (drawn from the grid)"),
        (0, "no energy is counted"),
    ):
        words = shipped("huawei-sun2000").encode({**meter, "meter.status": Decimal(status)})
        shown, record, _ = await read_alone(Stand(words), device("huawei-sun2000"))
        assert expected in shown.splitlines()[-1]
        assert record["roles"][0]["import_wh"] == ("500000" if status else None)
    assert shown.endswith("no energy is counted as import or export: meter.status is 0 (offline)")
    link, inverter = await linked(Stand(words)), device("huawei-sun2000")
    sample = inverter.samples(await inverter.read_places(link), 0.0)[inverter.places[0]]
    assert (sample.counters_wh, sample.power_w) == ({"import_wh": None, "export_wh": None}, None)
    await link.close()


async def test_a_power_that_cannot_be_is_named_and_promises_nothing() -> None:
    wind = shipped("bornay-wind-plus").points["active_power"].span
    for power, words in (
        (640, "as wind: power 640 W (no counter: energy is integrated from power)"),
        (19_000, "as wind: power 19000 W (more than max_power_w = 15000 allows: not used)"),
        (65_535, "as wind: nothing available"),
    ):
        stand = Stand({(wind.function, wind.address): power})
        shown, record, _ = await read_alone(stand, device("bornay-wind-plus", "wind"))
        assert shown.splitlines()[-1].startswith(words)
        assert ("no energy is counted as production: it has no counter" in shown) is (power != 640)
        point = next(point for point in record["points"] if point["name"] == "active_power")
        assert (point["value"], point["out_of_range"]) == ((None, "65535") if power == 65_535 else (str(power), None))
    assert "65535: impossible" in shown
