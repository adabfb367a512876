"""Whether a device counts and points as the legal meter does: its sign, and its factor over a kilowatt-hour. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edge_agent.setup.progress import MeterReading

LEAST_WH = 1000
DISPLAY_STEP_WH = 1000
"""Many legal meters show whole kilowatt-hours."""

TOLERANCE = 0.03
LEAST_RISE_W = 300

SignVerdict = Literal["rises", "falls", "unchanged"]


def sign_verdict(before_w: int | None, after_w: int | None) -> SignVerdict:
    """What the power did when a large appliance was switched on."""
    if before_w is None or after_w is None or abs(after_w - before_w) < LEAST_RISE_W:
        return "unchanged"
    return "rises" if after_w > before_w else "falls"


@dataclass(frozen=True, slots=True)
class FactorVerdict:
    """How the device's counter compares with the legal meter's: `is_good` None means that it is too early to say."""

    is_good: bool | None
    text: str


def factor_verdict(first: MeterReading, second: MeterReading) -> FactorVerdict:
    """Compare two readings of both. The direction with more energy decides."""
    legal_wh = second.legal_import_wh - first.legal_import_wh
    device_wh = second.device_import_wh - first.device_import_wh
    what = "drawn"
    exported = _difference(second.legal_export_wh, first.legal_export_wh)
    device_exported = _difference(second.device_export_wh, first.device_export_wh)
    if min(legal_wh, device_wh, exported or 0, device_exported or 0) < 0:
        return FactorVerdict(False, "a reading is lower than the first one: is it the right register of the display?")
    if exported is not None and device_exported is not None and exported > legal_wh:
        legal_wh, device_wh, what = exported, device_exported, "fed in"
    if legal_wh < LEAST_WH:
        return FactorVerdict(None, f"only {legal_wh / 1000:.1f} kWh since the first reading: come back after 1 kWh")
    share = device_wh / legal_wh
    shown = f"the legal meter counted {legal_wh / 1000:.1f} kWh {what}, the device {device_wh / 1000:.1f} kWh"
    # The display rounds at both readings.
    if abs(device_wh - legal_wh) <= TOLERANCE * legal_wh + DISPLAY_STEP_WH * (legal_wh % DISPLAY_STEP_WH == 0):
        return FactorVerdict(True, f"{shown}: they agree")
    crossed = device_exported if what == "drawn" else second.device_import_wh - first.device_import_wh
    if crossed is not None and abs(crossed - legal_wh) <= TOLERANCE * legal_wh:
        return FactorVerdict(False, f"{shown}: it counts the other way round: import and export are swapped")
    return FactorVerdict(False, f"{shown} ({share:.2f} times as much): {_advice(share)}")


def _advice(share: float) -> str:
    if share < 0.05:
        return "it does not see this energy: are its current transformers on the right cable, before every consumer?"
    for factor in (2, 3, 4, 5, 6, 8, 10, 12, 15, 16, 20, 30, 40, 50, 60, 80, 100):
        if abs(share * factor - 1) < 0.06:
            return f"set its current transformer ratio {factor} times as high, or look whether phases are missing"
        if abs(share / factor - 1) < 0.06:
            return f"set its current transformer ratio {factor} times lower"
    return "look whether a phase is missing or turned, and whether it is behind the same connection"


def _difference(second: int | None, first: int | None) -> int | None:
    return None if second is None or first is None else second - first
