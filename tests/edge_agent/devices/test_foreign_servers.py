"""The agent reads devices that were written with other libraries than the one it uses itself."""

import contextlib
import socketserver
import threading
from collections.abc import Iterator

import pytest
from pyModbusTCP.server import DataBank, ModbusServer
from umodbus.server.tcp import RequestHandler, get_server

from edge_agent.devices.line import LineSettings, ReadRefusedError
from edge_agent.devices.modbus_link import ModbusLink
from edge_agent.settings import Endpoint
from tests.edge_agent.devices.test_reader import device
from tests.edge_agent.modbus_stand import meter_words

WORDS = meter_words(123_000, 4_000, power_w=-750)


@contextlib.contextmanager
def with_pymodbustcp() -> Iterator[int]:
    bank = DataBank(i_regs_size=400, h_regs_size=400)
    bank.set_input_registers(0, [WORDS.get((4, at), 0) for at in range(400)])
    server = ModbusServer(host="127.0.0.1", port=_free_port(), no_block=True, data_bank=bank)
    server.start()
    try:
        yield server.port
    finally:
        server.stop()


@contextlib.contextmanager
def with_umodbus() -> Iterator[int]:
    socketserver.TCPServer.allow_reuse_address = True
    server = get_server(socketserver.ThreadingTCPServer, ("127.0.0.1", 0), RequestHandler)

    @server.route(slave_ids=[1], function_codes=[4], addresses=range(400))
    def read(slave_id: int, function_code: int, address: int) -> int:
        assert slave_id == 1
        return WORDS.get((function_code, address), 0)

    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _free_port() -> int:
    with socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as probe:
        return int(probe.server_address[1])


@pytest.mark.parametrize("served", [with_pymodbustcp, with_umodbus])
async def test_a_meter_of_another_library_is_read_and_its_refusals_are_understood(served) -> None:
    with served() as port:
        link = ModbusLink(Endpoint("tcp", "127.0.0.1", port), LineSettings(timeout_s=5))
        meter = device("eastron-sdm630")
        (sample,) = meter.samples(await meter.read_places(link), 900.0).values()
        assert (sample.counters_wh, sample.power_w) == ({"import_wh": 123_000, "export_wh": 4_000}, -750)
        assert set((await meter.read(link)).values) == set(meter.resolved.names())
        with pytest.raises(ReadRefusedError):
            await link.read_words(1, 4, address=600, count=2)
        assert link.opened == 1
        await link.close()
