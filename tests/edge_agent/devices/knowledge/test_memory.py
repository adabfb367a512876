"""What a device taught is not asked again after a restart, and unlearned with its firmware, its replacement or time."""

import json
from pathlib import Path

import pytest

from edge_agent.devices.knowledge.memory import FILE_NAME, KEPT_S, DeviceMemory, Knowledge
from edge_agent.devices.reader import Device
from protocols.maps.planning import Span
from tests.edge_agent.devices.knowledge.test_sunspec_search import MAKER, chain_words
from tests.edge_agent.devices.scans import Recorder
from tests.edge_agent.devices.test_reader import device

EIGHT_MODELS = [(1, 66), (103, 50), (120, 26), (121, 30), (122, 44), (123, 24), (160, 128), (802, 25)]
MODEL = {30000 + at: word for at, word in enumerate((0x5355, 0x4E32, 0x3030, 0x3041))}


class Refusing(Recorder):
    """A device without some registers."""

    holes: frozenset[int] = frozenset({32106})

    async def read_words(self, unit: int, function: int, *, address: int, count: int) -> list[int]:
        from edge_agent.devices.line import ReadRefusedError

        if self.holes & set(range(address, address + count)):
            self.asked.append(Span(function, address, count))
            raise ReadRefusedError(2)
        return await super().read_words(unit, function, address=address, count=count)


def inverter(memory: DeviceMemory, family: str = "huawei-sun2000") -> Device:
    made = device(family, "pv")
    return Device(made.settings, made.device_map, monotonic=lambda: 0.0, memory=memory)


async def scan(under_test: Device, link: Recorder) -> list[Span]:
    """What one reading asks."""
    link.asked.clear()
    await under_test.read_places(link)  # type: ignore[arg-type]
    return list(link.asked)


def words_of(model: dict[int, int]) -> dict[tuple[int, int], int]:
    return {(3, at): word for at, word in model.items()}


async def test_a_restart_asks_for_no_refused_register_again(tmp_path: Path) -> None:
    link = Refusing(words_of(MODEL))
    first = await scan(inverter(DeviceMemory(tmp_path)), link)
    assert len(first) > 3
    again = await scan(inverter(DeviceMemory(tmp_path)), link)
    assert [each.address for each in again] == [30000, 32080], "who it is, and what it has"


@pytest.mark.parametrize("change", ["firmware", "month", "family", "file", "restart"])
async def test_what_was_learned_ends_with_the_firmware_the_month_and_the_family(tmp_path: Path, change: str) -> None:
    link = Refusing(words_of(MODEL))
    await scan(inverter(DeviceMemory(tmp_path, now=lambda: 1e9)), link)
    now_s = 1e9 + (KEPT_S + 1 if change == "month" else 60)
    if change == "firmware":
        link.words = words_of({**MODEL, 30003: 0x3042})
    if change == "family":
        path = tmp_path / FILE_NAME
        path.write_text(path.read_text().replace("huawei-sun2000 ", "huawei-sun2000 9"))
    if change == "file":
        (tmp_path / FILE_NAME).write_bytes(b'{"format": 1, "devices": [')
    again = await scan(inverter(DeviceMemory(tmp_path, now=lambda: now_s)), link)
    assert (Span(3, 32080, 28) in again) is (change != "restart")


async def test_within_a_run_a_month_and_new_firmware_unlearn_too() -> None:
    seconds = [1e9]
    memory = DeviceMemory(None, now=lambda: seconds[0])
    link, under_test = Refusing(words_of(MODEL)), inverter(memory)
    await scan(under_test, link)
    link.opened += 1
    assert Span(3, 32080, 28) not in await scan(under_test, link)
    link.opened += 1
    link.words = words_of({**MODEL, 30003: 0x3043})
    assert Span(3, 32080, 28) in await scan(under_test, link)
    link.opened += 1
    seconds[0] += KEPT_S + 1
    assert Span(3, 32080, 28) in await scan(under_test, link)


@pytest.mark.parametrize("is_strict", [False, True])
async def test_a_sunspec_device_is_walked_once_and_then_looked_at(tmp_path: Path, is_strict: bool) -> None:
    models = [(number, length, MAKER if number == 1 else {}) for number, length in EIGHT_MODELS]
    link = Recorder(chain_words(models), is_strict=is_strict)
    under_test = inverter(DeviceMemory(tmp_path), "sunspec-inverter")
    walk = len(await scan(under_test, link)) - 1
    assert walk <= (len(EIGHT_MODELS) + 2 + 1 if is_strict else 5)
    link.opened += 1
    assert len(await scan(under_test, link)) == 1 + 1, "over a new connection: one look, one reading"
    restarted = inverter(DeviceMemory(tmp_path), "sunspec-inverter")
    assert len(await scan(restarted, link)) == 1 + 1, "after a restart too"
    assert restarted.models == under_test.models


@pytest.mark.parametrize("change", ["serial", "other format", "longer", "gone"])
async def test_a_chain_that_changed_is_walked_again(tmp_path: Path, change: str) -> None:
    models = [(1, 66, MAKER), (103, 50, {14: 700}), (120, 26, {})]
    link = Recorder(chain_words(models), is_strict=True)
    under_test = inverter(DeviceMemory(tmp_path), "sunspec-inverter")
    for _ in range(2):
        await scan(under_test, link)
        link.opened += 1
    models = {
        "serial": [(1, 66, {**MAKER, 50: 0x4142}), *models[1:]],
        "other format": [models[0], (113, 60, {}), models[2]],
        "longer": [models[0], (120, 26, {}), models[1]],
        "gone": [models[0], models[1]],
    }[change]
    link.words = chain_words(models)
    await scan(under_test, link)
    assert [(each.id, each.length) for each in under_test.models] == [(number, length) for number, length, _ in models]


async def test_a_model_far_behind_is_looked_at_too() -> None:
    models = [(1, 66, MAKER), (160, 128, {}), (103, 50, {14: 700})]
    link, under_test = Recorder(chain_words(models)), inverter(DeviceMemory(None), "sunspec-inverter")
    await scan(under_test, link)
    link.opened += 1
    looked = await scan(under_test, link)
    assert looked[1] == Span(3, 40200, 2)
    link.opened += 1
    link.words = chain_words([models[0], models[1], (113, 60, {})])
    await scan(under_test, link)
    assert [each.id for each in under_test.models] == [1, 160, 113]


def test_a_file_that_cannot_be_written_or_read_costs_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    known = Knowledge("x 1", "", 5, refused=((3, 1, 1, 2, 4),))
    folder = tmp_path / "none"
    memory = DeviceMemory(folder, now=lambda: 6.0)
    memory.keep("it", known)
    memory.keep("other", known)
    assert caplog.text.count("cannot be written") == 1
    assert memory.recall("it", "x 1") == known
    folder.mkdir()
    memory.keep("third", known)
    assert DeviceMemory(folder, now=lambda: 6.0).recall("it", "x 1") == known
    for broken in ("[]", '{"format": 2}', json.dumps({"format": 1, "devices": {"it": {"refused": [[1]]}}}), "[" * 9999):
        (folder / FILE_NAME).write_text(broken)
        assert DeviceMemory(folder, now=lambda: 6.0).recall("it", "x 1") is None


def test_only_something_new_is_written(tmp_path: Path) -> None:
    memory = DeviceMemory(tmp_path, now=lambda: 6.0)
    memory.keep("it", Knowledge("x 1", "", 5, refused=((3, 1, 1, 2, 4),)))
    written = (tmp_path / FILE_NAME).stat().st_mtime_ns
    memory.keep("it", Knowledge("x 1", "", 5, refused=((3, 1, 1, 2, 5),)))
    assert (tmp_path / FILE_NAME).stat().st_mtime_ns == written, "asked once more, in vain"
    memory.keep("it", Knowledge("x 1", "", 5))
    assert json.loads((tmp_path / FILE_NAME).read_text())["devices"]["it"]["refused"] == []
