"""The files of a street's folder: street.json, and for each home an agent's configuration and its consent.

Writes text built from homes and connect strings; opens no connection.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from simulator.errors import SimulatorError
from simulator.files.agent import AgentOptions, agent_text, consent_text
from simulator.services.member_client import appliance_entry
from simulator.world.homes import SimulatedHome
from simulator.world.site import DAY_S, STEP_S, Site
from simulator.world.street import Street

STREET_FILE = "street.json"
FORMAT = "commonwatt-street,1"


def home_folder(folder: Path, home: SimulatedHome) -> Path:
    """Where one home's files are."""
    return folder / "homes" / home.id


def write_street(
    folder: Path, street: Street, *, connects: Mapping[tuple[str, str], str], urls: Mapping[str, str],
    manners: AgentOptions | None = None,
) -> Path:  # fmt: skip
    """Write everything a reader of the street needs; returns the path of street.json.

    `connects` gives the connect string of each (home, link), `urls` the addresses of the street's services.
    """
    for home in street.homes:
        target = home_folder(folder, home)
        target.mkdir(parents=True, exist_ok=True)
        _write(target / "agent.toml", agent_text(home, connects, manners or AgentOptions()))
        _write(target / "consent.toml", consent_text(home, first_day=street.first_day))
    path = folder / STREET_FILE
    _write(path, json.dumps(_content(street, connects, urls), indent=1) + "\n")
    return path


def read_street(folder: Path) -> Street:
    """The street of a folder that `write_street` created. Raises: SimulatorError."""
    path = folder / STREET_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise KeyError
        site = Site(**content["site"])
        return Street(
            seed=int(content["seed"]),
            homes=len(content["homes"]),
            first_day=int(content["first_day"]),
            site=site,
            counts_apart=content.get("counts_apart") is True,
        )
    except FileNotFoundError:
        raise SimulatorError(f"{path}: does not exist: `commonwatt-sim street --data {folder}` creates it") from None
    except OSError as problem:
        raise SimulatorError(f"{path}: cannot be read: {problem.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise SimulatorError(f"{path}: not a street file, expected one written by `commonwatt-sim street`") from None


def _content(street: Street, connects: Mapping[tuple[str, str], str], urls: Mapping[str, str]) -> dict[str, object]:
    site = street.site
    return {
        "format": FORMAT,
        "seed": street.seed,
        "first_day": street.first_day,
        "first_s": street.first_day * DAY_S,
        "step_s": STEP_S,
        "site": {
            "latitude": site.latitude, "longitude": site.longitude, "altitude_m": site.altitude_m, "tz": site.tz,
        },
        **({"counts_apart": True} if street.counts_apart else {}),
        **urls,
        "homes": [_home_content(home, connects) for home in street.homes],
    }  # fmt: skip


def _home_content(home: SimulatedHome, connects: Mapping[tuple[str, str], str]) -> dict[str, object]:
    return {
        "id": home.id,
        "name": home.name,
        "resident": home.resident,
        "kind": home.kind,
        "purposes": list(home.purposes),
        "appliances": [appliance_entry(appliance) for appliance in home.appliances],
        "devices": [
            {
                "name": device.name,
                "map": device.family,
                "role": device.role,
                "connect": connects[home.id, device.link],
                "unit": device.unit,
                "max_power_w": device.max_power_w,
            }
            for device in home.devices
        ],
    }


def _write(path: Path, text: str) -> None:
    """Write the file whole or not at all."""
    beside = path.with_suffix(path.suffix + ".part")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)
