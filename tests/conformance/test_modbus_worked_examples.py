"""The worked examples of the Modbus documents, through the pymodbus parts we build on and our own decoding.

Source: MODBUS Application Protocol Specification V1.1b3, sections 6.3 (03), 6.4 (04) and 7 (exceptions);
MODBUS over Serial Line V1.02, section 2.5.1.2 and appendix B (CRC).
"""

from decimal import Decimal

import pytest
from pymodbus.framer import FramerRTU, FramerSocket
from pymodbus.pdu import DecodePDU, ExceptionResponse, ModbusPDU
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadHoldingRegistersResponse,
    ReadInputRegistersRequest,
    ReadInputRegistersResponse,
)

from protocols.maps.loading import load_map, resolve_map
from protocols.maps.planning import MODBUS_MAX_REGISTERS, ReadRequest
from protocols.maps.registers import decode, register_type

# The two documents' registers as a map: registers 108 to 110 are holding 107 to 109, input register 9 is input 8.
EXAMPLE_MAP = """
id = "worked-example"
version = 1
vendor = "Modbus Organization"
models = ["sections 6.3 and 6.4"]
kinds = ["sub-meter"]
verification = "A"
quality = "bronze"
sources = ["MODBUS Application Protocol Specification V1.1b3"]
[transport]
framing = ["tcp"]
tcp = { port = 502 }
unit_ids = [1]
[[tables]]
title = "Section 6.3: registers 108 to 110"
function = 3
type = "int16"
unit = "1"
document_offset = 1
source = "section 6.3"
points = [
  { name = "register_108", address = 107, document_address = 108 },
  { name = "register_109", address = 108, document_address = 109 },
  { name = "register_110", address = 109, document_address = 110 },
]
[[tables]]
title = "Section 6.4: input register 9"
function = 4
type = "uint16"
unit = "1"
document_offset = 1
source = "section 6.4"
points = [{ name = "input_register_9", address = 8, document_address = 9 }]
"""
EXCHANGES = {
    3: ("03 00 6B 00 03", "03 06 02 2B 00 00 00 64", [0x022B, 0x0000, 0x0064]),
    4: ("04 00 08 00 01", "04 02 00 0A", [0x000A]),
}
REQUESTS = {3: ReadHoldingRegistersRequest, 4: ReadInputRegistersRequest}
RESPONSES = {3: ReadHoldingRegistersResponse, 4: ReadInputRegistersResponse}


def _on_the_wire(pdu: ModbusPDU) -> bytes:
    return bytes([pdu.function_code]) + pdu.encode()


@pytest.mark.parametrize("function", [3, 4])
def test_planned_request_is_the_documents_request(function: int) -> None:
    plan = {request.function: request for request in resolve_map(load_map(EXAMPLE_MAP, name="example")).plan()}
    request = plan[function]
    assert _on_the_wire(REQUESTS[function](address=request.address, count=request.count)) == bytes.fromhex(
        EXCHANGES[function][0]
    )
    read_back = DecodePDU(is_server=True).decode(bytes.fromhex(EXCHANGES[function][0]))
    assert read_back is not None
    assert ReadRequest(read_back.function_code, read_back.address, read_back.count) == request


@pytest.mark.parametrize("function", [3, 4])
def test_documents_response_gives_the_documents_registers(function: int) -> None:
    _, response, registers = EXCHANGES[function]
    answer = DecodePDU(is_server=False).decode(bytes.fromhex(response))
    assert isinstance(answer, RESPONSES[function])
    assert answer.registers == registers
    assert _on_the_wire(RESPONSES[function](registers=registers)) == bytes.fromhex(response)


def test_documents_registers_decode_to_the_documents_values() -> None:
    resolved = resolve_map(load_map(EXAMPLE_MAP, name="example"))
    words = {
        (request.function, request.address + place): word
        for request in resolved.plan()
        for place, word in enumerate(EXCHANGES[request.function][2])
    }
    assert resolved.decode(words) == {
        "register_108": Decimal(555), "register_109": Decimal(0), "register_110": Decimal(100),
        "input_register_9": Decimal(10),
    }  # fmt: skip


@pytest.mark.parametrize(("function", "code"), [(3, 1), (3, 2), (3, 3), (3, 4), (4, 2)])
def test_exception_response_is_function_plus_0x80_and_one_code(function: int, code: int) -> None:
    answer = DecodePDU(is_server=False).decode(bytes([function | 0x80, code]))
    assert isinstance(answer, ExceptionResponse)
    assert answer.isError()
    assert answer.exception_code == code


@pytest.mark.parametrize("function", [3, 4])
def test_quantity_of_registers_is_limited_as_in_the_document(function: int) -> None:
    assert MODBUS_MAX_REGISTERS == 0x7D
    assert REQUESTS[function](address=0, count=MODBUS_MAX_REGISTERS).encode() == bytes.fromhex("00 00 00 7D")
    with pytest.raises(ValueError, match="126 <= 125"):
        REQUESTS[function](address=0, count=MODBUS_MAX_REGISTERS + 1).encode()


def test_big_endian_inside_a_register_and_two_registers_high_word_first() -> None:
    # Section 4.2: 0x1234 is sent as 0x12, then 0x34.
    answer = DecodePDU(is_server=False).decode(bytes.fromhex("03 04 12 34 56 78"))
    assert answer is not None
    assert decode(answer.registers[:1], register_type("uint16")) == 0x1234
    assert decode(answer.registers, register_type("uint32")) == 0x12345678


def test_mbap_header_carries_transaction_protocol_length_and_unit() -> None:
    framer = FramerSocket(DecodePDU(is_server=True))
    pdu = bytes.fromhex(EXCHANGES[3][0])
    assert framer.encode(pdu, 0x11, 0x1501) == bytes.fromhex("15 01 00 00 00 06 11") + pdu


def test_crc_of_the_serial_line_document() -> None:
    # Appendix B: the frame 02 07 has the CRC 0x1241, sent low byte first as 41 12.
    assert FramerRTU.compute_CRC(bytes([0x02, 0x07])).to_bytes(2, "big") == bytes.fromhex("41 12")
    assert FramerRTU(DecodePDU(is_server=True)).encode(b"\x07", 0x02, 0) == bytes.fromhex("02 07 41 12")
