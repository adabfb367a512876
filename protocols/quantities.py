"""What is measured, with which sign, how well, and why it is missing: the vocabulary that both sides share.

The sign conventions, stated once. Power: grid import +, grid export -; generation +; battery charge +,
discharge -. Energy of a slot is never negative: each direction has a measure of its own.
"""

from __future__ import annotations

from enum import IntEnum


class Measure(IntEnum):
    """One kind of energy counted per slot. Units: Wh, never negative."""

    GRID_IMPORT = 1
    GRID_EXPORT = 2
    PV_PRODUCTION = 3
    WIND_PRODUCTION = 4
    BATTERY_CHARGE = 5
    BATTERY_DISCHARGE = 6
    SUBMETER = 7

    @property
    def label(self) -> str:
        """The text that people read."""
        return _MEASURE_LABELS[self]

    @property
    def code(self) -> str:
        """The lower-case name used in settings and files."""
        return self.name.lower()


class Mark(IntEnum):
    """How a slot's energy was obtained."""

    MEASURED = 0
    DERIVED = 1
    PARTIAL = 2
    MISSING = 3

    @property
    def label(self) -> str:
        """The text that people read."""
        return _MARK_LABELS[self]


class Gap(IntEnum):
    """Why energy is missing or partial. Never shows that a consent withheld something."""

    NONE = 0
    DEVICE_SILENT = 1
    COUNTER_RESET = 2
    IMPLAUSIBLE = 3
    AGENT_OFF = 4
    CLOCK_UNTRUSTED = 5
    DEVICE_REFUSED = 6
    NOT_KEPT = 7
    NEVER_ARRIVED = 9

    @property
    def label(self) -> str:
        """The text that people read."""
        return _GAP_LABELS[self]


SENT_GAPS = frozenset(Gap) - {Gap.NEVER_ARRIVED}
"""The reasons an agent may send. Only the hub uses `NEVER_ARRIVED`."""

_MEASURE_LABELS: dict[Measure, str] = {
    Measure.GRID_IMPORT: "taken from the grid",
    Measure.GRID_EXPORT: "given to the grid",
    Measure.PV_PRODUCTION: "made by the solar panels",
    Measure.WIND_PRODUCTION: "made by the wind turbine",
    Measure.BATTERY_CHARGE: "put into the battery",
    Measure.BATTERY_DISCHARGE: "taken from the battery",
    Measure.SUBMETER: "used at the sub-meter",
}

_MARK_LABELS: dict[Mark, str] = {
    Mark.MEASURED: "read from a meter's counter",
    Mark.DERIVED: "calculated from power",
    Mark.PARTIAL: "only part of the time is covered",
    Mark.MISSING: "missing",
}

_GAP_LABELS: dict[Gap, str] = {
    Gap.NONE: "complete",
    Gap.DEVICE_SILENT: "the device did not answer",
    Gap.COUNTER_RESET: "the device's counter started again",
    Gap.IMPLAUSIBLE: "the device gave a value that cannot be true",
    Gap.AGENT_OFF: "the agent was not running",
    Gap.CLOCK_UNTRUSTED: "the agent did not know the time",
    Gap.DEVICE_REFUSED: "the device refused to answer",
    Gap.NOT_KEPT: "the agent had no room to keep it",
    Gap.NEVER_ARRIVED: "nothing has arrived from the home yet",
}
