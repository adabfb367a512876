"""The device families' register maps, loaded from the same files the agent reads."""

from functools import cache
from importlib.resources import files

from protocols.device_maps import load_map
from protocols.map_model import DeviceMap
from simulator.homes import FAMILIES


class UnknownFamily(Exception):
    """No simulated device of this family; one line names those there are."""


@cache
def family_map(family: str) -> DeviceMap:
    """The register map of a family. Raises: UnknownFamily."""
    if family not in FAMILIES:
        raise UnknownFamily(f"no device family {family!r}: choose one of {', '.join(FAMILIES)}")
    name = f"{family}.toml"
    text = (files("firmware_configs") / "devices" / name).read_text(encoding="utf-8")
    return load_map(text, name=name)
