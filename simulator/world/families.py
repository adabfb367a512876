"""The register maps of device families, from the same files the agent reads, or from files of a developer's own.

The homes of a street have the six families named here; one device alone may be of any family."""

from functools import cache
from importlib.resources import files
from pathlib import Path

from protocols.maps.loading import load_map
from protocols.maps.model import DeviceMap
from simulator.errors import SimulatorError

SUNSPEC_INVERTER = "sunspec-inverter"
SUNSPEC_METER = "sunspec-meter"
SDM630 = "eastron-sdm630"
HUAWEI = "huawei-sun2000"
SHELLY = "shelly-pro3em"
BORNAY = "bornay-wind-plus"
STREET_FAMILIES = (SUNSPEC_INVERTER, SUNSPEC_METER, SDM630, HUAWEI, SHELLY, BORNAY)


@cache
def family_map(family: str) -> DeviceMap:
    """The register map of a family. Raises: SimulatorError."""
    names = shipped_families()
    if family not in names:
        raise SimulatorError(f"no device family {family!r}: choose one of {', '.join(names)}")
    name = f"{family}.toml"
    text = (files("firmware_configs") / "devices" / name).read_text(encoding="utf-8")
    return load_map(text, name=name)


@cache
def shipped_families() -> tuple[str, ...]:
    """The families whose maps are installed."""
    names = (each.name for each in (files("firmware_configs") / "devices").iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml")))


def find_map(family: str, maps: Path | None) -> DeviceMap:
    """The map in a folder or file of one's own, else the installed one. Raises: SimulatorError, MapError."""
    if maps is None:
        return family_map(family)
    path = maps if maps.is_file() else maps / f"{family}.toml"
    if maps.is_dir() and not path.is_file():
        return family_map(family)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else "not UTF-8: save it again with that encoding"
        raise SimulatorError(f"--maps {path}: cannot be read: {reason}") from None
    found = load_map(text, name=path.name)
    if found.id != family:
        raise SimulatorError(f"--maps {path}: it describes {found.id!r}, expected {family!r}")
    return found
