"""docs/wire-format.md against the code: worked bytes hold both ways, and a stranger's agent made from it is heard."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protocols.consent import rules as consent
from protocols.consent.purposes import CATALOGUE
from protocols.consent.reduction import find_violations
from protocols.enrolment import handshake as enrolment
from protocols.enrolment import token as tokens
from protocols.quantities import Gap, Mark, Measure
from protocols.wire import (
    chain,
    clock_check,
    envelope,
    messages,
    padding,
    readings,
    receipts,
    refusal_notices,
    revocations,
    topics,
)
from protocols.wire.refusal_reasons import RefusalReason
from tests.protocols.wire.wire_samples import HUB_KEY, KEY

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "wire-format.md").read_text(encoding="utf-8")
BLOCKS = {name: body for _, name, body in re.findall(r"^```(hex|json|text) (\S+)\n(.*?)\n```$", TEXT, re.M | re.S)}
COOP, AGENT = "sunny-street", "a-4k2f9c1d"

FORMS: dict[str, tuple[Callable[[Any], bytes], Callable[[bytes], Any]]] = {
    "consent": (messages.encode_consent_notice, messages.decode_consent_notice),
    "batch": (readings.encode_batch, readings.decode_batch),
    "answer": (messages.encode_answer, messages.decode_answer),
    "receipt": (receipts.encode_receipt, receipts.decode_receipt),
    "prompt": (messages.encode_prompt, messages.decode_prompt),
    "revoked": (revocations.encode_revocation, revocations.decode_revocation),
    "refused": (refusal_notices.encode_refusal, refusal_notices.decode_refusal),
    "question": (clock_check.encode_question, clock_check.decode_question),
    "time": (clock_check.encode_clock_answer, clock_check.decode_clock_answer),
}
UP = ("consent", "batch", "answer")


def octets(name: str) -> bytes:
    return bytes.fromhex(BLOCKS[name].replace("\n", ""))


def topic_of(kind: str) -> str:
    build = topics.uplink_topic if kind in (*UP, "question") else topics.downlink_topic
    topic = build(COOP, AGENT, kind="time" if kind == "question" else kind)
    assert f"Topic `{topic}`" in TEXT
    return topic


def in_hexadecimal(value: Any) -> Any:
    if isinstance(value, list):
        return [in_hexadecimal(item) for item in value]
    return value.hex() if isinstance(value, bytes) else value


def fields_of(data: bytes) -> dict[str, Any]:
    return {str(key): in_hexadecimal(value) for key, value in cbor2.loads(data).items() if key != padding.PAD_KEY}


@pytest.mark.parametrize("kind", FORMS)
def test_worked_bytes_hold_both_ways(kind: str) -> None:
    encode, decode = FORMS[kind]
    key = KEY if kind in (*UP, "question") else HUB_KEY
    payload, sealed = octets(f"{kind}.payload"), octets(f"{kind}.sealed")
    assert envelope.open_sealed(sealed, topic_of(kind), key.public_key()) == payload
    assert envelope.seal(key, topic_of(kind), payload) == sealed
    assert encode(decode(payload)) == payload
    assert fields_of(payload) == json.loads(BLOCKS[f"{kind}.fields"])


def test_the_worked_messages_are_one_chain() -> None:
    position, head = chain.START, chain.FIRST_PREVIOUS
    for kind in UP:
        sealed = octets(f"{kind}.sealed")
        header = FORMS[kind][1](octets(f"{kind}.payload")).header
        own_hash = envelope.batch_hash(sealed)
        assert header.previous == head
        assert chain.place_message(position, header, own_hash=own_hash, held_hash=None) is chain.ChainPlacement.NEXT
        position, head = chain.Position(header.epoch, header.seq, own_hash), own_hash
    receipt = receipts.decode_receipt(octets("receipt.payload"))
    assert (receipt.epoch, receipt.through_seq, receipt.head) == (position.epoch, position.seq, position.head)


def test_the_worked_consent_allows_the_worked_batch() -> None:
    inner = octets("consent.inner")
    held = consent.decode_consent(inner)
    assert messages.decode_consent_notice(octets("consent.payload")).consent == inner
    assert fields_of(inner) == json.loads(BLOCKS["consent.inner.fields"])
    assert consent.encode_consent(held) == inner
    assert sha256(inner).digest() == octets("consent.digest") == consent.consent_digest(held)
    assert find_violations(held, readings.decode_batch(octets("batch.payload"))) == ()


def test_the_worked_enrolment() -> None:
    token = octets("token.bytes")
    assert tokens.token_text(token) == BLOCKS["token.text"]
    assert tokens.parse_token(BLOCKS["token.text"]) == token
    assert tokens.token_hash(token) == octets("token.hash") == sha256(b"commonwatt/1 token\x00" + token).digest()
    assert json.loads(enrolment.build_request(KEY, token=token, coop=COOP)) == json.loads(BLOCKS["enrol.request"])
    request = enrolment.parse_request(BLOCKS["enrol.request"])
    assert enrolment.proof_bytes(token, request.public_key, coop=COOP) == octets("enrol.signed")
    public_keys = (KEY.public_key().public_bytes_raw(), HUB_KEY.public_key().public_bytes_raw())
    assert enrolment.fingerprint(*public_keys) == BLOCKS["enrol.digits"]


# A stranger's agent, written from the document alone: no import of ours below until the hub listens.


def stranger_payload(fields: dict[int, Any]) -> bytes:
    body = cbor2.dumps(fields)
    size = next(size for size in (512, 1024, 2048, 4096, 8192, 16384) if len(body) + 3 + 86 <= size)
    missing = size - 86 - len(body)
    strings = [b""] if missing in (27, 260) else []
    while True:
        for length in range(missing):
            padded = cbor2.dumps({**fields, 23: [*strings, bytes(length)]})
            if len(padded) == size - 86:
                return padded
        raise AssertionError("the document's padding rule does not fill the class")


def stranger_seal(seed: bytes, topic: str, payload: bytes) -> bytes:
    key = Ed25519PrivateKey.from_private_bytes(seed)
    kid = sha256(key.public_key().public_bytes_raw()).digest()[:8]
    protected = cbor2.dumps({1: -19, 4: kid})
    signed = cbor2.dumps(["Signature1", protected, b"commonwatt/1\x00" + topic.encode(), payload])
    return cbor2.dumps(cbor2.CBORTag(18, [protected, {}, payload, key.sign(signed)]))


def stranger_topic(coop: str, agent: str, kind: str) -> str:
    return f"cw1/{coop}/{sha256(agent.encode()).digest()[0] % 64}/{agent}/up/{kind}"


@pytest.mark.parametrize("kind", UP)
def test_a_stranger_writes_the_same_bytes(kind: str) -> None:
    fields = {int(key): value for key, value in json.loads(BLOCKS[f"{kind}.fields"]).items()}
    fields[5] = bytes.fromhex(fields[5])
    if kind == "consent":
        fields[6] = bytes.fromhex(fields[6])
    payload = stranger_payload(fields)
    assert payload == octets(f"{kind}.payload")
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    assert stranger_seal(seed, stranger_topic(COOP, AGENT, kind), payload) == octets(f"{kind}.sealed")


@pytest.mark.parametrize("devices", range(33))
def test_a_strangers_batches_of_every_size_are_read(devices: int) -> None:
    fields = {int(key): value for key, value in json.loads(BLOCKS["batch.fields"]).items()}
    fields[5] = bytes.fromhex(fields[5])
    fields[13] = [[f"device-{n:02}" + "x" * (devices % 7), n % 5, n * 300] for n in range(devices)]
    payload = stranger_payload(fields)
    assert len(readings.decode_batch(payload).devices) == devices


def test_a_stranger_enrols() -> None:
    asked = json.loads(BLOCKS["enrol.request"])
    key = Ed25519PrivateKey.generate()
    public_key = key.public_key().public_bytes_raw()
    signed = b"commonwatt/1 enrol\x00" + octets("token.hash") + public_key + asked["coop"].encode()
    asked["public_key"] = base64.urlsafe_b64encode(public_key).decode().rstrip("=")
    asked["proof"] = base64.urlsafe_b64encode(key.sign(signed)).decode().rstrip("=")
    assert enrolment.parse_request(json.dumps(asked)).public_key == public_key


def test_the_tables_name_every_code() -> None:
    rows = {tuple(cell.strip() for cell in line.strip("|").split("|")) for line in TEXT.splitlines() if "|" in line}
    cells = [cell for row in rows for cell in row]
    for number, reason in enumerate(RefusalReason):
        row = next(row for row in rows if any(cell.split(" ")[0] == f"`{reason.value}`" for cell in row))
        at = next(n for n, cell in enumerate(row) if cell.split(" ")[0] == f"`{reason.value}`")
        assert row[at - 1] == str(number)
        if reason.settles_the_number:
            assert row[at + 1] == "C"
    for measure in Measure:
        assert any(row[0] == str(int(measure)) and "energy" not in row[1] for row in rows if len(row) > 1)
        assert f"`{measure.code}`" in TEXT
    for label in ("derived: power integrated", "partial", "missing", "agent was off", "device refused"):
        assert label in cells
    for purpose in CATALOGUE:
        assert f"`{purpose}" in TEXT
    assert len(Mark) == 4
    assert Gap.NEVER_ARRIVED == 9
    assert len(messages.AnswerChoice) == 3
    assert [state.value for state in readings.Liveness] == ["ok", "slow", "silent", "refusing", "asleep"]
    for size in padding.SIZE_CLASSES:
        assert re.search(rf"\b{size:,}\b|\b{size}\b", TEXT)
    for limit in (readings.MAX_LONG_SLOTS, envelope.MAX_SEALED_BYTES, chain.MAX_AHEAD):
        assert re.search(rf"\b{limit:,}\b|\b{limit}\b", TEXT)
