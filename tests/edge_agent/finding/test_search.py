"""The search over real connections: what answers is found, everything else is one line; nothing is asked twice."""

import asyncio
from ipaddress import IPv4Network

import pytest

from edge_agent.devices.line import LineSettings, LinkBrokenError
from edge_agent.finding import search as searching
from edge_agent.finding.search import (
    FoundDevice,
    SearchEvent,
    SearchNote,
    SearchPlan,
    open_endpoints,
    search,
    serial_lines,
    tcp_ports,
    usual_units,
)
from edge_agent.finding.text import connect_text, found_lines, found_record, spoken_endpoint
from edge_agent.settings import Endpoint
from protocols.maps.model import Serial
from tests.edge_agent.finding.families import maps
from tests.edge_agent.modbus_stand import Stand, meter_words

QUICK = LineSettings(timeout_s=0.3)


def at(port: int) -> Endpoint:
    return Endpoint("tcp", host="127.0.0.1", port=port)


async def searched(*endpoints: Endpoint, **choices: object) -> tuple[list[FoundDevice], list[SearchEvent]]:
    told: list[SearchEvent] = []
    plan = SearchPlan(endpoints=endpoints, tcp_line=QUICK, **choices)  # type: ignore[arg-type]
    found = await search(plan, maps(), told.append, pause=asyncio.sleep)
    return found, told


async def test_a_meter_is_found_told_at_once_and_named_as_agent_toml_wants_it() -> None:
    stand = await Stand(meter_words(10_000)).start()
    found, told = await searched(at(stand.port), makes=("sdm630",))
    await stand.stop()
    (meter,) = found
    assert meter in told
    assert (meter.unit, meter.proposals[0].map) == (1, "eastron-sdm630")
    lines = found_lines(meter)
    assert lines[0].startswith(f"tcp://127.0.0.1:{stand.port} unit 1: eastron-sdm630 (")
    assert lines[1].startswith("  measures as grid or")
    record = found_record(found, ["x"])
    assert record["found"][0]["connect"] == f"tcp://127.0.0.1:{stand.port}"
    assert record["found"][0]["answered"] <= 5
    assert record["troubles"] == ["x"]


async def test_two_ports_of_one_device_are_not_asked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asking: list[Endpoint] = []

    async def behind(endpoint: Endpoint, *_: object, **__: object) -> list[FoundDevice]:
        assert endpoint.host not in [each.host for each in asking]
        asking.append(endpoint)
        await asyncio.sleep(0)
        asking.remove(endpoint)
        return []

    monkeypatch.setattr(searching, "_behind", behind)
    assert await searched(at(502), at(1502), Endpoint("tcp", host="127.0.0.2", port=502), at(502)) == ([], [])


async def test_one_unit_that_answers_is_enough_unless_units_were_named() -> None:
    stand = await Stand(meter_words(10_000), units=(1, 2)).start()
    assert [each.unit for each in (await searched(at(stand.port), makes=("sdm630",)))[0]] == [1]
    found, _ = await searched(at(stand.port), units=(2, 1), makes=("sdm630",))
    assert [each.unit for each in found] == [2, 1]
    await stand.stop()


async def test_nobody_there_and_a_device_of_no_known_family_are_one_line_each() -> None:
    stand = await Stand({(3, 7): 7}).start()
    found, told = await searched(at(stand.port), at(1))
    await stand.stop()
    troubles = [each.text for each in told if isinstance(each, SearchNote) and each.is_trouble]
    assert [each for each in troubles if "cannot connect to tcp://127.0.0.1:1" in each] == troubles
    (unknown,) = found
    assert "no family is recognised" in found_lines(unknown)[0]
    assert "--make" in found_lines(unknown)[0]


async def test_a_silent_address_is_asked_as_few_units_and_told() -> None:
    stand = await Stand(meter_words(1), units=()).start()
    _, told = await searched(at(stand.port), units=(1,))
    await stand.stop()
    assert len(stand.requests) == 2
    assert isinstance(told[-1], SearchNote)
    assert "nothing answers as unit 1: is Modbus switched on" in told[-1].text


async def test_a_bus_is_found_with_its_line_settings_and_every_usual_unit() -> None:
    with Stand(meter_words(10_000), units=(2, 3)).on_a_bus() as path:
        found, _ = await searched(Endpoint("rtu", path=path), units=(1, 2, 3), makes=("sdm630",))
    assert [each.unit for each in found] == [2, 3]
    assert connect_text(found[0].endpoint) == f"rtu://{path}?baud=9600&parity=N&stop=1"


async def test_only_addresses_that_accept_a_connection_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    stand = await Stand(meter_words(10_000)).start()
    monkeypatch.setattr(searching, "CONNECTS_APART_S", 0.0)
    network = IPv4Network("127.0.0.0/30")
    found = await open_endpoints([network], [stand.port, 1])
    assert found == [at(stand.port)]
    told: list[SearchEvent] = []
    plan = SearchPlan(networks=(network,), tcp_line=QUICK, makes=("sdm630",))
    monkeypatch.setattr(searching, "tcp_ports", lambda _maps: (stand.port,))
    assert [each.endpoint for each in await search(plan, maps(), told.append)] == [at(stand.port)]
    await stand.stop()
    assert await search(plan, maps(), told.append) == []
    assert isinstance(told[-1], SearchNote)
    assert told[-1].is_trouble


def test_ports_units_and_lines_are_those_of_the_families() -> None:
    assert tcp_ports(maps())[0] == 502
    assert usual_units(maps(), "tcp")[0] == 1
    assert 126 in usual_units(maps(), "tcp") or 3 in usual_units(maps(), "tcp")
    assert (serial_lines(maps())[0].baud, serial_lines(maps())[0].parity) == (9600, "N")


async def test_a_line_setting_that_the_adapter_lacks_does_not_end_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    usual, make_link = searching.serial_lines(maps())[0], searching.ModbusLink

    class Lacks:
        async def read_words(self, unit: int, function: int, *, address: int, count: int) -> list[int]:
            raise LinkBrokenError("cannot connect to this port: Invalid argument")

        async def close(self) -> None:
            """Nothing is open."""

    monkeypatch.setattr(searching, "serial_lines", lambda _maps: (Serial(9600, 8, "E", 1), usual))
    monkeypatch.setattr(
        searching,
        "ModbusLink",
        lambda endpoint, line, **choices: Lacks() if line.parity == "E" else make_link(endpoint, line, **choices),
    )
    with Stand(meter_words(10_000)).on_a_bus() as path:
        found, _ = await searched(Endpoint("rtu", path=path), units=(1,), makes=("sdm630",))
    assert [connect_text(each.endpoint) for each in found] == [f"rtu://{path}?baud=9600&parity=N&stop=1"]
    found, told = await searched(Endpoint("rtu", path="/nowhere/tty"), units=(1,))
    troubles = [each.text for each in told if isinstance(each, SearchNote) and each.is_trouble]
    assert (found, len(troubles)) == ([], 1)
    assert "cannot connect to rtu:///nowhere/tty" in troubles[0]


async def test_a_meter_that_sends_by_itself_is_not_asked_as_a_modbus_device() -> None:
    stand = await Stand(meter_words(10_000)).start()
    found, told = await searched(Endpoint("sml+tcp", host="127.0.0.1", port=stand.port))
    await stand.stop()
    assert (found, stand.requests) == ([], [])
    assert isinstance(told[-1], SearchNote)
    assert "a meter that sends by itself is not asked" in told[-1].text


async def test_a_make_that_no_family_has_is_told() -> None:
    _, told = await searched(at(1), makes=("Nonsens", "Eastron"))
    texts = [each.text for each in told if isinstance(each, SearchNote)]
    assert [each for each in texts if "make" in each] == [
        "no known family is of the make 'Nonsens': it changes nothing"
    ]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("192.0.2.1", "tcp://192.0.2.1:502"),
        ("192.0.2.1:1502", "tcp://192.0.2.1:1502"),
        ("/dev/ttyUSB0", "rtu:///dev/ttyUSB0"),
        ("udp://192.0.2.1", "udp://192.0.2.1:502"),
    ],
)
def test_an_address_may_be_given_as_people_write_it(text: str, meant: str) -> None:
    assert spoken_endpoint(text).shown == meant
