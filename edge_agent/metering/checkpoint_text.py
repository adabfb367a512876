"""What a counter's state machine keeps over a restart, as plain lists and numbers for the checkpoint. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from edge_agent.metering.counter_records import CounterMemory, CounterReading, Excursion, SlotBase


def write_memory(base: SlotBase) -> dict[str, Any]:
    """What the checkpoint keeps of this counter beside its base; empty if there is nothing."""
    written: dict[str, Any] = {"derived": True} if base.is_derived else {}
    if (memory := base.memory) is None:
        return written
    written["reference"] = _write(memory.reference)
    if memory.former is not None:
        written["former"] = _write(memory.former)
    if memory.is_doubted:
        written["doubted"] = True
    if (away := memory.excursion) is not None:
        begun = None if away.base is None else [away.base.slot, round(away.base.at_s), away.base.counter_wh]
        written["excursion"] = [_write(away.first), _write(away.last), away.rises, begun]
    return written


def read_memory(base: SlotBase, written: Any) -> SlotBase:
    """The base with what was kept beside it. Raises KeyError, TypeError or ValueError for anything else."""
    if written is None:
        return base
    base = replace(base, is_derived=written.get("derived") is True)
    if "reference" not in written:
        return base
    former, away = written.get("former"), written.get("excursion")
    memory = CounterMemory(
        _read(written["reference"]),
        None if former is None else _read(former),
        None if away is None else _excursion(*away),
        written.get("doubted") is True,
    )
    return replace(base, memory=memory)


def _excursion(first: Any, last: Any, rises: Any, begun: Any) -> Excursion:
    base = None
    if begun is not None:
        slot, at_s, counter_wh = begun
        base = SlotBase(int(slot), float(at_s), int(counter_wh))
    return Excursion(_read(first), _read(last), int(rises), base)


def _write(reading: CounterReading) -> list[int]:
    return [round(reading.at_s), reading.counter_wh]


def _read(written: Any) -> CounterReading:
    at_s, counter_wh = written
    return CounterReading(float(at_s), int(counter_wh))
