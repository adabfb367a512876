"""How long an honest home waits for its receipts while others flood the hub, beside its quiet wait in the same run.

The hub runs as `commonwatt-hub run` with all its processes: once with the built-in broker, and once with Mosquitto,
where homes come over TLS with certificates.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.broker.mosquitto_files import find_mosquitto
from hub.broker.plans import IOTCORE
from hub.folder.keys.hub_key import load_key
from hub.folder.paths import KEY_NAME
from hub.folder.settings import load_settings
from tests.benchmarks.attacks.messages import KINDS
from tests.benchmarks.attacks.running_hub import HonestHome, is_cut_off, line_of, prepare, running
from tests.hub.sending_home import SendingHome

RATE = 2000
FLOOD_S = 25
QUIET_S = 25.0
"""Longer than the hub's grace after it connects to the broker."""

UNTIL_CUT_OFF_S = 10.0
AFTER_S = 10.0
MOST_S = 60.0
CLICKING = 200
HALF_OPEN = 1100
MOSQUITTO = "mosquitto"
BROKERS = (IOTCORE, MOSQUITTO) if find_mosquitto() is not None else (IOTCORE,)
"""Without Mosquitto on this computer its cases are not measured, and the figures say so."""

CUT_OFF = tuple(kind for kind in KINDS if kind != "fake_topics")
BARS = {
    **{f"{broker}_{kind}_until_cut_off_ratio": 10.0 for broker in BROKERS for kind in KINDS},
    **{f"{broker}_{kind}_after_ratio": 3.0 for broker in BROKERS for kind in KINDS},
    **{f"{broker}_{kind}_cut_off_s": UNTIL_CUT_OFF_S for broker in BROKERS for kind in CUT_OFF},
    **{f"{broker}_half_open_ratio": 3.0 for broker in BROKERS},
    **{f"{broker}_clicking_ratio": 3.0 for broker in BROKERS},
    **{f"{broker}_half_open_enrolment_ratio": 3.0 for broker in BROKERS if broker != IOTCORE},
    **{f"{broker}_most_s": MOST_S for broker in BROKERS},
}


def measure() -> dict[str, object]:
    """p99 of the waits in ms, quiet and under each attack, and their ratios. No batch may wait more than 60 s."""
    figures: dict[str, object] = {"brokers": ", ".join(BROKERS), "load_before": os.getloadavg()[0]}
    for broker in BROKERS:
        found: dict[str, object] = {}
        for kind in KINDS:
            found |= _flooded(kind, broker)
        found |= _pages_busy(broker)
        found["most_s"] = max(float(str(value)) for name, value in found.items() if name.endswith("_most_s"))
        figures |= {f"{broker}_{name}": value for name, value in found.items()}
    return figures | {"load_after": os.getloadavg()[0]}


def _flooded(kind: str, broker: str) -> dict[str, object]:
    honest, hostile = SendingHome("h01"), SendingHome("h02", _key())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "hub"
        asyncio.run(prepare(folder, [honest, hostile], broker=broker))
        with running(folder) as where:
            line = line_of(folder, where, hostile)
            arguments = (kind, hostile.key.private_bytes_raw().hex(), "h02", str(RATE), str(FLOOD_S), *line.words)
            home = _honest(folder, where, honest)
            home.begin()
            quiet = home.receipts_for(QUIET_S)
            attacker = _started("tests.benchmarks.attacks.flood", *arguments)
            try:
                _begins(attacker)
                began_s = time.monotonic()
                before: list[float] = []
                took_s = float("inf")
                while time.monotonic() - began_s < UNTIL_CUT_OFF_S and took_s == float("inf"):
                    before += home.receipts_for(0.5)
                    if kind in CUT_OFF and is_cut_off(folder, hostile.agent):
                        took_s = time.monotonic() - began_s
                after = home.receipts_for(AFTER_S)
            finally:
                attacker.kill()
                attacker.wait()
                home.close()
    figures = {f"{kind}_quiet_p99_ms": _p99_ms(quiet)}
    figures |= _ratios(f"{kind}_until_cut_off", before, quiet) | _ratios(f"{kind}_after", after, quiet)
    return figures | ({f"{kind}_cut_off_s": took_s} if kind in CUT_OFF else {})


def _pages_busy(broker: str) -> dict[str, object]:
    honest = SendingHome("h01")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "hub"
        tokens = asyncio.run(prepare(folder, [honest], clicking=CLICKING, broker=broker))
        public = load_settings(folder).public
        with running(folder) as where:
            address = str(where["web"])
            home = _honest(folder, where, honest)
            home.begin()
            quiet = home.receipts_for(QUIET_S / 2)
            half_open = {"half_open": address}
            if public is not None:
                half_open["half_open_enrolment"] = f"https://127.0.0.1:{public.enrol_port}"
            figures: dict[str, object] = {"pages_quiet_p99_ms": _p99_ms(quiet)}
            for each, place in half_open.items():
                holding = _started("tests.benchmarks.attacks.web", "hold", place, str(HALF_OPEN), "14")
                _begins(holding)
                figures |= _ratios(each, home.receipts_for(AFTER_S), quiet)
                holding.wait()
            clicking = _started("tests.benchmarks.attacks.web", "click", address, "14", says="\n".join(tokens))
            _begins(clicking)
            figures |= _ratios("clicking", home.receipts_for(AFTER_S), quiet)
            clicking.wait()
            home.close()
    return figures


def _honest(folder: Path, where: dict[str, object], home: SendingHome) -> HonestHome:
    return HonestHome(home, line=line_of(folder, where, home), hub_key=load_key(folder / KEY_NAME).public_key())


def _key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


def _started(module: str, *arguments: str, says: str | None = None) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    if says is not None:
        process.stdin.write(says)
    process.stdin.close()
    return process


def _begins(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "begins"


def _p99_ms(waits: list[float]) -> float:
    return sorted(waits)[int(0.99 * (len(waits) - 1))] * 1000


def _ratios(name: str, waits: list[float], quiet: list[float]) -> dict[str, object]:
    return {
        f"{name}_p99_ms": _p99_ms(waits),
        f"{name}_most_s": max(waits),
        f"{name}_ratio": _p99_ms(waits) / _p99_ms(quiet),
    }
