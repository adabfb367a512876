"""An answer that broke off and was filled up by the next frame is told by what stands in it and behind it."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.devices.line import DeviceReadError, LineSettings, LinkBrokenError
from edge_agent.devices.modbus_link import ModbusLink
from edge_agent.devices.seams import is_patched
from edge_agent.settings import Endpoint
from tests.edge_agent.warped_loop import Wire, run_warped, wired_to


def frame(number: int, words: list[int]) -> bytes:
    pdu = bytes([3, 2 * len(words)]) + b"".join(each.to_bytes(2) for each in words)
    return number.to_bytes(2) + b"\0\0" + (len(pdu) + 1).to_bytes(2) + b"\1" + pdu


words = st.lists(st.integers(0, 65_535), min_size=1, max_size=60)


@given(words, words, st.integers(17, 65_535), st.integers(0, 3), st.data())
def test_every_seam_is_found(first: list[int], second: list[int], number: int, ago: int, data: st.DataObject) -> None:
    right, other = frame(number, first), frame(number - ago, second)
    missing = data.draw(st.integers(1, min(len(right) - 9, len(other))))
    assert is_patched(right[:-missing] + other, number, len(right))


@given(words, words, st.integers(17, 65_535))
def test_a_whole_answer_is_none(first: list[int], second: list[int], number: int) -> None:
    right, other = frame(number, first), frame(number - 1, second)
    for heard in (right, right + right, other + right, right + other, other + right + right):
        assert not is_patched(heard, number, len(right))


@pytest.mark.parametrize("number", [0, 1, 2, 5])
@pytest.mark.parametrize("values", [[0], [0, 0, 0, 5], [1, 0, 5, 3, 2], [0, 1, 0, 9, 259, 512]])
def test_small_numbers_in_registers_are_none(values: list[int], number: int) -> None:
    right = frame(number, values * 20)
    assert not is_patched(right, number, len(right))


class CuttingDevice:
    """Breaks off in the middle of its answer and sends another one a moment later."""

    def __init__(self, missing: int) -> None:
        self.missing = missing

    def accept(self, wire: Wire) -> None:
        """Everybody may connect."""

    def receive(self, data: bytes, wire: Wire) -> None:
        number = int.from_bytes(data[:2])
        right = frame(number, [7] * int.from_bytes(data[10:12]))
        wire.deliver(right[: -self.missing], 0.01)
        wire.deliver(frame(number - 1, [9, 9, 9]), 0.2)


@pytest.mark.parametrize("missing", [1, 2, 6, 8, 9, 10, 15])
def test_the_link_hands_on_no_answer_of_two_parts(missing: int) -> None:
    async def read() -> None:
        make: Callable[..., object] = wired_to(CuttingDevice(missing))
        link = ModbusLink(Endpoint("tcp", "it", 502), LineSettings(timeout_s=1.0), make=make)  # type: ignore[arg-type]
        with pytest.raises(DeviceReadError) as caught:
            await link.read_words(1, 3, address=0, count=12)
        assert isinstance(caught.value, LinkBrokenError)
        await link.close()

    run_warped(read)
