"""pyModbusTCP and uModbus, which share nothing with our code, read the simulated devices and cannot write to them."""

import asyncio
import socket
import struct

from pyModbusTCP.client import ModbusClient
from pyModbusTCP.constants import EXP_ILLEGAL_FUNCTION
from umodbus.client import tcp
from umodbus.exceptions import IllegalFunctionError

from simulator.world.street import Street
from tests.simulator.modbus_wire import images_of, served

HOME = "h01"


def read_with_pymodbustcp(port: int) -> tuple[list[int] | None, list[int] | None, bool, int]:
    client = ModbusClient(host="127.0.0.1", port=port, unit_id=1, timeout=10)
    marker, block = client.read_holding_registers(40000, 2), client.read_holding_registers(40070, 52)
    is_written = client.write_single_register(40080, 1)
    code = client.last_except
    client.close()
    return marker, block, bool(is_written), code


def read_with_umodbus(port: int) -> tuple[list[int], list[int], str]:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
        marker = tcp.send_message(tcp.read_holding_registers(1, 40000, 2), line)
        block = tcp.send_message(tcp.read_holding_registers(1, 40070, 52), line)
        try:
            tcp.send_message(tcp.write_single_register(1, 40080, 1), line)
        except IllegalFunctionError:
            return marker, block, "refused"
    return marker, block, "written"


async def test_other_libraries_read_what_the_device_shows_and_write_nothing(street: Street, noon_s: int) -> None:
    shown = next(image for image in images_of(street, street.home(HOME), "solar") if image.unit.unit == 1).words(noon_s)
    block = [shown[3, at] for at in range(40070, 40122)]
    async with served(street, HOME, now_s=noon_s) as (_, port):
        assert await asyncio.to_thread(read_with_pymodbustcp, port) == (
            list(struct.unpack(">HH", b"SunS")), block, False, EXP_ILLEGAL_FUNCTION,
        )  # fmt: skip
        assert await asyncio.to_thread(read_with_umodbus, port) == (
            list(struct.unpack(">HH", b"SunS")), block, "refused",
        )  # fmt: skip
