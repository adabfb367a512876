"""What set-up knows so far, in a small file beside agent.toml that only its owner reads: it goes on where it stopped.

It holds no secret: the invitation is never written here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from edge_agent.finding.writing import write_beside

FILE_NAME = "setup-progress.json"
MAX_BYTES = 64 * 1024
STEPS = ("devices", "meter", "files", "pairing", "consent", "receipt")
STEP_TITLES = {
    "devices": "your devices",
    "meter": "your legal meter",
    "files": "agent.toml",
    "pairing": "your co-op",
    "consent": "what may leave your home",
    "receipt": "the first reading and the first receipt",
}


@dataclass(frozen=True, slots=True)
class DeviceChoice:
    """A device as it will be in agent.toml, one for each role; one that was written by hand may have more."""

    name: str
    map: str
    role: str
    connect: str
    unit: int
    max_power_w: int
    invert: bool = False
    variant: str | None = None
    instance: int | None = None
    factor: float | None = None
    more_roles: tuple[str, ...] = ()
    kept: Mapping[str, Any] = field(default_factory=dict)
    """Keys of its [[device]] that set-up does not ask for, as they are in the file."""

    @property
    def roles(self) -> tuple[str, ...]:
        """All that it measures."""
        return (self.role, *self.more_roles)


@dataclass(frozen=True, slots=True)
class MeterChoice:
    """What the household said of its legal meter; None where the country's default is to hold."""

    country: str | None = None
    phases: str | None = None
    netting: str | None = None


@dataclass(frozen=True, slots=True)
class MeterReading:
    """The legal meter's display and our device's counters at the same moment. Units: Wh, Unix seconds."""

    at_s: int
    legal_import_wh: int
    legal_export_wh: int | None
    device_import_wh: int
    device_export_wh: int | None


@dataclass(slots=True)
class SetupProgress:
    """The answers so far, and which steps are done."""

    devices: list[DeviceChoice] = field(default_factory=list)
    meter: MeterChoice = MeterChoice()
    reading: MeterReading | None = None
    done: list[str] = field(default_factory=list)

    @property
    def next_step(self) -> str | None:
        """The first step that is not done."""
        return next((each for each in STEPS if each not in self.done), None)


def load_progress(folder: Path) -> SetupProgress:
    """The progress in this folder; a new one if there is none or it is damaged."""
    try:
        with (folder / FILE_NAME).open("rb") as file:
            found: dict[str, Any] = json.loads(file.read(MAX_BYTES))
        reading = found.get("reading")
        return SetupProgress(
            devices=[_device(each) for each in found["devices"]],
            meter=MeterChoice(**found["meter"]),
            reading=None if reading is None else MeterReading(**reading),
            done=[each for each in STEPS if each in found["done"]],
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return SetupProgress()


def _device(found: dict[str, Any]) -> DeviceChoice:
    return DeviceChoice(**{**found, "more_roles": tuple(found.get("more_roles", ()))})


def save_progress(folder: Path, progress: SetupProgress) -> None:
    """Keep it. Raises: RequestError."""
    content = json.dumps(asdict(progress), indent=1).encode()
    write_beside(folder / FILE_NAME, content)
