"""How long an honest home waits for its receipts while others flood the hub, beside its quiet wait in the same run."""

import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.folder.keys.hub_key import load_key
from hub.folder.paths import KEY_NAME
from tests.benchmarks.attacks.messages import KINDS
from tests.benchmarks.attacks.running_hub import HonestHome, is_cut_off, prepare, running
from tests.hub.sending_home import SendingHome

RATE = 2000
FLOOD_S = 25
QUIET_S = 25.0
"""Longer than the hub's grace after it connects to the broker."""

UNTIL_CUT_OFF_S = 10.0
AFTER_S = 10.0
CLICKING = 200
HALF_OPEN = 1100

CUT_OFF = tuple(kind for kind in KINDS if kind != "fake_topics")
BARS = {
    **{f"{kind}_until_cut_off_ratio": 10.0 for kind in KINDS},
    **{f"{kind}_after_ratio": 3.0 for kind in KINDS},
    **{f"{kind}_cut_off_s": UNTIL_CUT_OFF_S for kind in CUT_OFF},
    "half_open_ratio": 3.0,
    "clicking_ratio": 3.0,
}


def measure() -> dict[str, object]:
    """p99 of the waits in ms, quiet and under each attack, and their ratios. No batch may wait more than 60 s."""
    figures: dict[str, object] = {}
    for kind in KINDS:
        figures |= _flooded(kind)
    return figures | _pages_busy()


def _flooded(kind: str) -> dict[str, object]:
    honest, hostile = SendingHome("h01"), SendingHome("h02", _key())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "hub"
        asyncio.run(prepare(folder, [honest, hostile]))
        with running(folder) as where:
            port = int(str(where["broker_port"]))
            home = HonestHome(honest, port=port, hub_key=load_key(folder / KEY_NAME).public_key())
            arguments = (kind, str(port), hostile.key.private_bytes_raw().hex(), "h02", str(RATE), str(FLOOD_S))
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


def _pages_busy() -> dict[str, object]:
    honest = SendingHome("h01")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "hub"
        tokens = asyncio.run(prepare(folder, [honest], clicking=CLICKING))
        with running(folder) as where:
            address = str(where["web"])
            home = HonestHome(
                honest, port=int(str(where["broker_port"])), hub_key=load_key(folder / KEY_NAME).public_key()
            )
            home.begin()
            quiet = home.receipts_for(QUIET_S / 2)
            holding = _started("tests.benchmarks.attacks.web", "hold", address, str(HALF_OPEN), "14")
            _begins(holding)
            half_open = home.receipts_for(AFTER_S)
            holding.wait()
            clicking = _started("tests.benchmarks.attacks.web", "click", address, "14", says="\n".join(tokens))
            _begins(clicking)
            clicked = home.receipts_for(AFTER_S)
            clicking.wait()
            home.close()
    return {
        "pages_quiet_p99_ms": _p99_ms(quiet),
        **_ratios("half_open", half_open, quiet),
        **_ratios("clicking", clicked, quiet),
    }


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
