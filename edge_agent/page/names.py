"""The page's names for measures, marks, gaps and states: the words of protocols, marked for translation."""

from __future__ import annotations

from edge_agent.page.words import translatable
from protocols.quantities import Gap, Mark, Measure
from protocols.wire.readings import Liveness

MEASURE_NAMES = {
    Measure.GRID_IMPORT: translatable("taken from the grid"),
    Measure.GRID_EXPORT: translatable("given to the grid"),
    Measure.PV_PRODUCTION: translatable("made by the solar panels"),
    Measure.WIND_PRODUCTION: translatable("made by the wind turbine"),
    Measure.BATTERY_CHARGE: translatable("put into the battery"),
    Measure.BATTERY_DISCHARGE: translatable("taken from the battery"),
    Measure.SUBMETER: translatable("used at the sub-meter"),
}
MARK_NAMES = {
    Mark.MEASURED: translatable("read from a meter's counter"),
    Mark.DERIVED: translatable("calculated from power"),
    Mark.PARTIAL: translatable("only part of the time is covered"),
    Mark.MISSING: translatable("missing"),
}
GAP_NAMES = {
    Gap.NONE: translatable("complete"),
    Gap.DEVICE_SILENT: translatable("the device did not answer"),
    Gap.COUNTER_RESET: translatable("the device's counter started again"),
    Gap.IMPLAUSIBLE: translatable("the device gave a value that cannot be true"),
    Gap.AGENT_OFF: translatable("the agent was not running"),
    Gap.CLOCK_UNTRUSTED: translatable("the agent did not know the time"),
    Gap.DEVICE_REFUSED: translatable("the device refused to answer"),
    Gap.NOT_KEPT: translatable("the agent had no room to keep it"),
    Gap.NEVER_ARRIVED: translatable("nothing has arrived from the home yet"),
}
STATE_NAMES = {
    Liveness.OK: translatable("answers"),
    Liveness.ASLEEP: translatable("asleep"),
    Liveness.SLOW: translatable("busy, gives no reading"),
    Liveness.SILENT: translatable("silent"),
    Liveness.REFUSING: translatable("refuses some of its values"),
}
