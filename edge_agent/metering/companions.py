"""What the registers of one device say of each other: they are exchanged, and begin again, together.

Pure. A number that may be of another register is believed if a register beside it has run just what the power saw.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from edge_agent.metering.counters import CounterMeter


def compare_registers(meters: Mapping[str, CounterMeter], shown: Mapping[str, int | None]) -> None:
    """Tell each register of one device what another one shows in the same answer, and whether one has fallen.

    A coarser one is not shown: it stays at its number for long, and says little of which device it belongs to.
    """
    fallen = {name: meter.has_fallen_to(shown[name]) for name, meter in meters.items()}
    for name, meter in meters.items():
        beside = {other: each for other, each in meters.items() if other != name}
        others = {fallen[other] for other in beside}
        fine = [shown[other] for other, each in beside.items() if each.limits.step_wh <= meter.limits.step_wh]
        has_fallen = True if True in others else False if False in others else None
        meter.known.note_other(has_fallen, next(iter(fine), None))


def tell_companions(meters: Collection[CounterMeter]) -> None:
    """A device that was exchanged begins again with all its registers, also with one that stays at 0.

    If one of them has fallen while the device was not read, what flowed then may be in none of them.
    """
    for meter in meters:
        if meter.has_just_fallen:
            for other in meters:
                other.known.note_loss()
        if meter.has_begun_again and (ended := meter.known.ended):
            for other in meters:
                if other is not meter:
                    other.known.note_companion(ended.first.at_s)
