"""Our envelope against the independent COSE library cwt, in both directions.

cwt pins an older cbor2, so it lives in an environment of its own: $COMMONWATT_ORACLE_PYTHON or .venv/oracle.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from protocols.wire import envelope, topics
from tests.protocols.wire.wire_samples import HUB_KEY, KEY

ROOT = Path(__file__).resolve().parents[2]
TOPIC = topics.uplink_topic("sunny-street", "a-4k2f9c1d", kind="batch")
AAD = b"commonwatt/1\x00" + TOPIC.encode()
PUBLIC = KEY.public_key()


@pytest.fixture(scope="module")
def oracle() -> Path:
    found = Path(os.environ.get("COMMONWATT_ORACLE_PYTHON", ROOT / ".venv/oracle/bin/python"))
    if not found.exists():
        pytest.skip(f"NOT CHECKED against cwt: no interpreter at {found}; make it with `make setup-test`")
    return found


def ask(oracle: Path, do: str, *, alg: str, aad: bytes, message: bytes) -> dict[str, str]:
    question = {
        "do": do,
        "alg": alg,
        "aad": aad.hex(),
        "message": message.hex(),
        "kid": envelope.key_id(PUBLIC).hex(),
        "x": PUBLIC.public_bytes_raw().hex(),
        "d": KEY.private_bytes_raw().hex(),
    }
    done = subprocess.run(
        [str(oracle), str(Path(__file__).with_name("cwt_oracle.py"))],
        input=json.dumps(question) + "\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    reply: dict[str, str] = json.loads(done.stdout)
    return reply


@pytest.mark.parametrize("size", [0, 23, 426, 16_000])
def test_cwt_opens_what_we_seal(oracle: Path, size: int) -> None:
    payload = b"x" * size
    sealed = envelope.seal(KEY, TOPIC, payload)
    assert ask(oracle, "open", alg="-19", aad=AAD, message=sealed) == {"payload": payload.hex()}


def test_cwt_refuses_what_we_refuse(oracle: Path) -> None:
    sealed = envelope.seal(KEY, TOPIC, b"payload")
    flipped = sealed[:-1] + bytes([sealed[-1] ^ 1])
    foreign = sealed[:8] + envelope.key_id(PUBLIC) + envelope.seal(HUB_KEY, TOPIC, b"payload")[16:]
    for message, aad in ((flipped, AAD), (sealed, AAD + b"x"), (foreign, AAD)):
        assert "VerifyError" in ask(oracle, "open", alg="-19", aad=aad, message=message)["error"]


@pytest.mark.parametrize("alg", ["-19", "-8"])
def test_we_open_what_cwt_seals(oracle: Path, alg: str) -> None:
    payload = bytes(range(256)) + bytes(170)
    sealed = bytes.fromhex(ask(oracle, "seal", alg=alg, aad=AAD, message=payload)["sealed"])
    assert envelope.open_sealed(sealed, TOPIC, PUBLIC) == payload
    if alg == "-19":
        assert sealed == envelope.seal(KEY, TOPIC, payload)
    with pytest.raises(envelope.WireError):
        envelope.open_sealed(sealed, topics.uplink_topic("sunny-street", "a-other", kind="batch"), PUBLIC)
