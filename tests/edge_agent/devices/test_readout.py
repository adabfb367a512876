"""What `read` shows of a device: every point, as people write numbers, on 80 columns; every word for programs."""

import struct

from edge_agent.devices.readout import as_record, as_table
from tests.edge_agent.devices.test_reader import device, linked, sunspec_words
from tests.edge_agent.modbus_stand import Stand


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
    assert shown.splitlines()[-1] == "as grid: import 2033845 Wh, export 0 Wh, power -409 W"
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
