"""Whether a device counts and points as the legal meter does: its sign, and its factor over a kilowatt-hour. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

from edge_agent.setup.progress import MeterReading

LEAST_WH = 1000
DISPLAY_STEP_WH = 1000
"""Many legal meters show whole kilowatt-hours."""

TOLERANCE = 0.03
LEAST_RISE_W = 300

SignVerdict = Literal["rises", "falls", "unchanged"]
CountedPhases = Literal["netted", "separate"]


def sign_verdict(before_w: int | None, after_w: int | None) -> SignVerdict:
    """What the power did when a large appliance was switched on."""
    if before_w is None or after_w is None or abs(after_w - before_w) < LEAST_RISE_W:
        return "unchanged"
    return "rises" if after_w > before_w else "falls"


@dataclass(frozen=True, slots=True)
class FactorVerdict:
    """How the device's counter compares with the legal meter's: `is_good` None means that it is too early to say.

    `times`: what the device shows has to be multiplied by, where that is a usual ratio and nothing else explains it.
    `may_lack_phases`: a missing phase explains it as well. `legal_phases`: how the legal meter counts three phases,
    where it does so in another way than the device.
    """

    is_good: bool | None
    text: str
    times: Decimal | None = None
    may_lack_phases: bool = False
    legal_phases: CountedPhases | None = None


def factor_verdict(first: MeterReading, second: MeterReading) -> FactorVerdict:
    """Compare two readings of both. The direction with more energy decides."""
    legal_wh = second.legal_import_wh - first.legal_import_wh
    device_wh = second.device_import_wh - first.device_import_wh
    what = "drawn"
    exported = _difference(second.legal_export_wh, first.legal_export_wh)
    device_exported = _difference(second.device_export_wh, first.device_export_wh)
    if min(legal_wh, device_wh, exported or 0, device_exported or 0) < 0:
        return FactorVerdict(False, "a reading is lower than the first one: is it the right register of the display?")
    crossed = device_exported
    if exported is not None and device_exported is not None and exported > legal_wh:
        legal_wh, device_wh, what, crossed = exported, device_exported, "fed in", device_wh
    if legal_wh < LEAST_WH:
        return FactorVerdict(None, f"only {legal_wh / 1000:.1f} kWh since the first reading: come back after 1 kWh")
    shown = f"the legal meter counted {legal_wh / 1000:.1f} kWh {what}, the device {device_wh / 1000:.1f} kWh"
    step_wh = _display_step_wh(first, second)
    # The display rounds at both readings.
    if abs(device_wh - legal_wh) <= TOLERANCE * legal_wh + (step_wh if step_wh == DISPLAY_STEP_WH else 0):
        return FactorVerdict(True, f"{shown}: they agree")
    if crossed is not None and abs(crossed - legal_wh) <= TOLERANCE * legal_wh:
        return FactorVerdict(False, f"{shown}: it counts the other way round: import and export are swapped")
    if (phases := _other_phases(first, second, step_wh)) is not None:
        return FactorVerdict(False, f"{shown}; {_PHASES[phases]}", legal_phases=phases)
    if device_wh < LEAST_OWN_WH:
        return FactorVerdict(False, f"{shown}: {_UNSEEN}")
    text = f"{shown} ({device_wh / legal_wh:.3g} times as much)"
    nearest, is_only = _usual_ratio(legal_wh, device_wh, step_wh)
    if nearest is None:
        return FactorVerdict(False, f"{text}: {_UNUSUAL}")
    if not is_only:
        return FactorVerdict(None, f"{text}: too rough to tell the ratio: come back after {CERTAIN_KWH} kWh")
    if nearest < 1:
        return FactorVerdict(
            False, f"{text}: its transformer ratio is set {float(1 / nearest):g} times too high", nearest
        )
    may_lack = nearest in _OF_PHASES
    also = (
        ", or look whether phases are missing: one that sees a part of three shows too little too" if may_lack else ""
    )
    return FactorVerdict(False, f"{text}: its transformer ratio is set {float(nearest):g} times too low{also}",
                         nearest, may_lack)  # fmt: skip


LEAST_OWN_WH = 50
"""Of less the device's own steps are too coarse for a ratio."""

CERTAIN_KWH = 20
"""A display of whole kilowatt-hours is then sure to 5 %."""

_PHASES: Final[Mapping[CountedPhases, str]] = {
    "netted": "it counts more of both by the same energy: your legal meter nets the phases, it counts each by itself",
    "separate": "it counts less of both by the same energy: your legal meter counts each phase by itself, it nets them",
}
_UNSEEN = "it does not see this energy: are its current transformers on the right cable, before every consumer?"
_UNUSUAL = "look whether a phase is missing or turned, and whether it is behind the same connection"
_RATIOS = (2, 3, 4, 5, 6, 8, 10, 12, 15, 16, 20, 25, 30, 40, 50, 60, 80, 100, 120, 150, 160, 200, 250, 300, 400, 1000)
"""Of usual current transformers (to 5 A and 1 A), of decimal places, and of kWh for Wh."""

_OF_PHASES = (Decimal(2), Decimal(3))


def _other_phases(first: MeterReading, second: MeterReading, step_wh: int) -> CountedPhases | None:
    """How the legal meter counts, where both directions differ by the same energy and no ratio would explain that."""
    legal = (second.legal_import_wh - first.legal_import_wh, _difference(second.legal_export_wh, first.legal_export_wh))
    own = (
        second.device_import_wh - first.device_import_wh,
        _difference(second.device_export_wh, first.device_export_wh),
    )
    if legal[1] is None or own[1] is None:
        return None
    more = own[0] - legal[0], own[1] - legal[1]
    unsure = TOLERANCE * max(legal[0], legal[1]) + step_wh
    if min(map(abs, more)) <= unsure or abs(more[0] - more[1]) > unsure:
        return None
    crosswise = own[0] * legal[1], own[1] * legal[0]
    if abs(crosswise[0] - crosswise[1]) <= RATIO_TOLERANCE * max(crosswise):
        return None
    return "netted" if more[0] > 0 else "separate"


def _usual_ratio(legal_wh: int, device_wh: int, step_wh: int) -> tuple[Decimal | None, bool]:
    """The usual ratio nearest to what was counted, and whether no other is possible within the display's step."""
    ratios = [Decimal(each) for each in _RATIOS]
    ratios += [1 / each for each in ratios]
    wanted = Decimal(legal_wh) / device_wh
    rough = RATIO_TOLERANCE + Decimal(step_wh) / legal_wh
    near = sorted((abs(wanted / each - 1), each) for each in ratios if abs(wanted / each - 1) <= rough)
    return (near[0][1] if near else None), len(near) == 1


RATIO_TOLERANCE = Decimal("0.06")


def _display_step_wh(first: MeterReading, second: MeterReading) -> int:
    """How finely the display was read: whole kilowatt-hours, or tenths and better."""
    read = (first.legal_import_wh, second.legal_import_wh, first.legal_export_wh or 0, second.legal_export_wh or 0)
    return 100 if any(each % DISPLAY_STEP_WH for each in read) else DISPLAY_STEP_WH


def _difference(second: int | None, first: int | None) -> int | None:
    return None if second is None or first is None else second - first
