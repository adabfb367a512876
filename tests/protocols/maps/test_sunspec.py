"""The SunSpec walk: models found over words, and discovery against obliging and strict devices within its budget."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.maps.planning import ReadRequest
from protocols.maps.sunspec import BASES, MARKER, SunSpecDiscovery, SunSpecModel, discover, walk_models

lengths = st.lists(st.integers(0, 180), min_size=1, max_size=12)
# The eight models and 413 registers of a common hybrid: common, inverter, ratings, settings, storage, meter.
COMMON_CHAIN = [(1, 66), (103, 50), (120, 26), (121, 30), (122, 44), (123, 24), (160, 48), (203, 105)]


class Device:
    """Registers of a SunSpec device. `strict` refuses any read that leaves the chain, `limit` any longer one."""

    def __init__(self, models: Sequence[tuple[int, int]], base: int, *, strict: bool, limit: int = 125) -> None:
        self.words = {base: MARKER[0], base + 1: MARKER[1]}
        self.models = []
        at = base + 2
        for model_id, length in models:
            self.models.append(SunSpecModel(model_id, at, length))
            self.words |= {at: model_id, at + 1: length} | {at + 2 + place: 7 for place in range(length)}
            at += 2 + length
        self.words |= {at: 0xFFFF, at + 1: 0}
        self.strict, self.limit, self.requests = strict, limit, 0

    def answer(self, request: ReadRequest) -> list[int] | None:
        self.requests += 1
        addresses = range(request.address, request.end)
        if request.count > self.limit or not any(at in self.words for at in addresses):
            return None
        if self.strict and not all(at in self.words for at in addresses):
            return None
        return [self.words.get(at, 0) for at in addresses]


def _run(device: Device, max_registers: int = 125) -> SunSpecDiscovery | None:
    steps = discover(max_registers)
    try:
        request = next(steps)
        while True:
            assert request.count <= max(4, max_registers)
            assert request.function == 3
            request = steps.send(device.answer(request))
    except StopIteration as done:
        found: SunSpecDiscovery | None = done.value
        return found


@given(lengths=lengths, base=st.sampled_from(BASES), strict=st.booleans(), limit=st.integers(4, 125))
def test_every_chain_is_found_whole(lengths: list[int], base: int, strict: bool, limit: int) -> None:
    device = Device([(100 + place, length) for place, length in enumerate(lengths)], base, strict=strict, limit=limit)
    found = _run(device)
    assert found is not None
    assert found.complete
    assert (found.base, list(found.models)) == (base, device.models)
    assert walk_models(device.words, base) == device.models


@given(lengths=lengths)
def test_strict_device_costs_at_most_two_requests_more_than_models(lengths: list[int]) -> None:
    device = Device([(100 + place, length) for place, length in enumerate(lengths)], 40000, strict=True)
    _run(device)
    assert device.requests <= len(lengths) + 2


def test_common_chain_costs_at_most_five_requests_on_an_obliging_device() -> None:
    device = Device(COMMON_CHAIN, 40000, strict=False)
    found = _run(device)
    assert found is not None
    assert found.complete
    assert device.requests <= 5
    strict = Device(COMMON_CHAIN, 40000, strict=True)
    _run(strict)
    assert strict.requests <= len(COMMON_CHAIN) + 2


def test_small_blocks_are_respected() -> None:
    device = Device(COMMON_CHAIN, 0, strict=False, limit=20)
    found = _run(device, max_registers=20)
    assert found is not None
    assert list(found.models) == device.models


def test_no_marker_means_no_device_and_a_lost_one_is_incomplete() -> None:
    silent = Device([(1, 66)], 30000, strict=True)
    assert _run(silent) is None
    lost = Device([(1, 66), (103, 50)], 40000, strict=True)
    del lost.words[lost.models[1].address + 1]
    found = _run(lost)
    assert found is not None
    assert not found.complete
    assert list(found.models) == lost.models[:1]


@given(words=st.dictionaries(st.integers(40002, 40300), st.integers(0, 0xFFFF)))
def test_garbage_never_makes_the_walk_run_away(words: dict[int, int]) -> None:
    models = walk_models({40000: MARKER[0], 40001: MARKER[1], **words}, 40000)
    assert len(models) <= 100
    assert all(before.end == after.address for before, after in pairwise(models))


@pytest.mark.parametrize("length", [65, 66])
def test_common_model_of_65_or_66_shifts_what_follows(length: int) -> None:
    device = Device([(1, length), (103, 50)], 40000, strict=False)
    assert walk_models(device.words, 40000)[1].address == 40002 + 2 + length
