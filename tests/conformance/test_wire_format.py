"""docs/wire-format.md against the code: worked bytes hold both ways, and a stranger's agent made from it is heard."""

from __future__ import annotations

import base64
import hmac
import json
import re
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import cbor2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from hub.trust.enrolment import STATUSES as ENROLMENT_STATUSES
from protocols import hub_keys
from protocols.consent import rules as consent
from protocols.consent.purposes import CATALOGUE
from protocols.consent.reduction import find_violations
from protocols.enrolment import broker_notices
from protocols.enrolment import handshake as enrolment
from protocols.enrolment import token as tokens
from protocols.enrolment.renewal import parse_renewal
from protocols.enrolment.trust_root import open_root
from protocols.quantities import Gap, Mark, Measure
from protocols.wire import (
    chain,
    clock_check,
    envelope,
    messages,
    meter_notices,
    padding,
    readings,
    receipts,
    refusal_notices,
    revocations,
    topics,
)
from protocols.wire.credits import notices as credits_notices
from protocols.wire.map_bundles import content, parts, question
from protocols.wire.pace import notices as pace_notices
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
    "credits": (credits_notices.encode_credits, credits_notices.decode_credits),
    "meter": (meter_notices.encode_meter, meter_notices.decode_meter),
    "question": (clock_check.encode_question, clock_check.decode_question),
    "time": (clock_check.encode_clock_answer, clock_check.decode_clock_answer),
    "map-question": (question.encode_map_question, question.decode_map_question),
    "pace": (pace_notices.encode_pace, pace_notices.decode_pace),
    "maps": (parts.encode_part, parts.decode_part),
    "broker": (broker_notices.encode_broker, broker_notices.decode_broker),
}
UP = ("consent", "batch", "answer")
BESIDE = ("question", "meter", "map-question")
"""What an agent sends outside its chain."""


def octets(name: str) -> bytes:
    return bytes.fromhex(BLOCKS[name].replace("\n", ""))


def topic_of(kind: str) -> str:
    build = topics.uplink_topic if kind in (*UP, *BESIDE) else topics.downlink_topic
    topic = build(COOP, AGENT, kind={"question": "time", "map-question": "maps"}.get(kind, kind))
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
    key = KEY if kind in (*UP, *BESIDE) else HUB_KEY
    payload, sealed = octets(f"{kind}.payload"), octets(f"{kind}.sealed")
    assert envelope.open_sealed(sealed, topic_of(kind), key.public_key()) == payload
    assert envelope.seal(key, topic_of(kind), payload) == sealed
    assert encode(decode(payload)) == payload
    assert fields_of(payload) == json.loads(BLOCKS[f"{kind}.fields"])


def test_the_first_form_of_a_meter_s_notice_is_read() -> None:
    payload, sealed = octets("meter.first.payload"), octets("meter.first.sealed")
    assert envelope.open_sealed(sealed, topic_of("meter"), KEY.public_key()) == payload
    found, newer = meter_notices.decode_meter(payload), meter_notices.decode_meter(octets("meter.payload"))
    assert found == replace(newer, netting="unknown", within_wh=0, within_percent=0)
    assert not found.has_bound


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
    assert sha256(inner).digest() == octets("consent.digest")
    assert find_violations(held, readings.decode_batch(octets("batch.payload"))) == ()


def test_the_limits_of_a_pace_are_said() -> None:
    for limit in (pace_notices.MOST_RECONNECT_S, pace_notices.MOST_SPREAD_S):
        assert f"| seconds, 0 to {limit} |" in TEXT
    assert f"| seconds, 1 to {pace_notices.MOST_HOLD_S:,} |" in TEXT


def test_the_worked_bundle_of_maps() -> None:
    data = octets("maps.bundle")
    assert parts.BundleAssembly().add(parts.decode_part(octets("maps.payload"))) == data
    found = content.decode_bundle(data)
    assert content.encode_bundle(found) == data
    assert fields_of(data) == json.loads(BLOCKS["maps.bundle.fields"])
    for limit in (content.MAX_BUNDLE_BYTES, content.MAX_MAPS, content.MAX_MAP_BYTES, parts.PART_BYTES):
        assert re.search(rf"\b{limit:,}\b", TEXT)


def test_the_worked_hub_key() -> None:
    text, identity = BLOCKS["keys.payload"], HUB_KEY.public_key().public_bytes_raw()
    found = hub_keys.open_certificate(text, coop=COOP, identity=identity)
    assert hub_keys.seal_certificate(found, HUB_KEY) == text
    HUB_KEY.public_key().verify(bytes.fromhex(json.loads(text)["signature"]), octets("keys.signed"))


def test_the_worked_enrolment() -> None:
    token = tokens.parse_token(BLOCKS["token.text"])
    assert tokens.token_text(token) == BLOCKS["token.text"]
    assert token.secret + token.hub_hash == octets("token.bytes")
    assert (token.id, token.key) == (octets("token.id"), octets("token.key"))
    request = BLOCKS["enrol.request"]
    assert enrolment.build_request(KEY, token=token, coop=COOP, csr=octets("enrol.csr")) == request
    assert enrolment.parse_request(request).is_from_holder(token.key)
    answer = enrolment.open_answer(
        BLOCKS["enrol.answer"],
        token=token,
        request=request.encode(),
        agent_public_key=KEY.public_key().public_bytes_raw(),
    )
    assert answer.agent == BLOCKS["enrol.agent"]
    assert open_root(BLOCKS["authority.document"], token=token, coop=COOP) == answer.root
    assert answer.hub_public_key == HUB_KEY.public_key().public_bytes_raw()
    sealed = enrolment.seal_answer(
        answer,
        agent_public_key=KEY.public_key().public_bytes_raw(),
        request=request.encode(),
        token_key=token.key,
        hub_key=HUB_KEY,
    )
    assert sealed == BLOCKS["enrol.answer"]
    assert from_base64(json.loads(sealed)["document"]).decode() == BLOCKS["enrol.document"]


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


def to_base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def from_base64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_a_stranger_enrols() -> None:
    alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    letters = BLOCKS["token.text"].replace("-", "")
    number = 0
    for letter in letters[:42]:
        number = number * 32 + alphabet.index(letter)
    assert divmod(number % 1021, 32) == tuple(alphabet.index(letter) for letter in letters[42:])
    secret, hub_hash = number.to_bytes(26)[:16], number.to_bytes(26)[16:]
    token_id = sha256(b"commonwatt/2 enrol id\x00" + secret).digest()
    token_key = sha256(b"commonwatt/2 enrol key\x00" + secret).digest()
    key = Ed25519PrivateKey.generate()
    public_key = key.public_key().public_bytes_raw()
    csr = octets("enrol.csr")
    claim = token_id + public_key + sha256(csr).digest() + COOP.encode()
    asked = {
        "version": 3,
        "id": to_base64(token_id),
        "coop": COOP,
        "public_key": to_base64(public_key),
        "csr": to_base64(csr),
        "proof": to_base64(key.sign(b"commonwatt/3 enrol proof\x00" + claim)),
        "mac": to_base64(hmac.digest(token_key, b"commonwatt/3 enrol request\x00" + claim, "sha256")),
    }
    request = enrolment.parse_request(json.dumps(asked))
    assert request.public_key == public_key
    assert request.is_from_holder(tokens.parse_token(BLOCKS["token.text"]).key)
    answer = json.loads(BLOCKS["enrol.answer"])
    document = from_base64(answer["document"])
    label = b"commonwatt/3 enrol answer\x00"
    assert from_base64(answer["mac"]) == hmac.digest(token_key, label + document, "sha256")
    content = json.loads(document)
    hub_key = from_base64(content["hub_public_key"])
    assert sha256(hub_key).digest()[:10] == hub_hash
    Ed25519PublicKey.from_public_bytes(hub_key).verify(from_base64(answer["signature"]), label + document)
    agent_key = from_base64(content["agent_public_key"])
    name = base64.b32encode(sha256(agent_key).digest()[:16]).decode().lower().rstrip("=")
    assert content["agent"] == f"a-{name}"
    assert from_base64(content["request"]) == sha256(BLOCKS["enrol.request"].encode()).digest()


def test_a_stranger_checks_the_root_and_its_certificate() -> None:
    shown = json.loads(BLOCKS["authority.document"])
    hub_key, root = from_base64(shown["hub_public_key"]), shown["root"]
    assert sha256(hub_key).digest()[:10] == octets("token.bytes")[16:]
    signed = b"commonwatt/3 authority\x00" + hub_key + sha256(root.encode()).digest() + COOP.encode()
    assert signed == octets("authority.signed")
    Ed25519PublicKey.from_public_bytes(hub_key).verify(from_base64(shown["signature"]), signed)
    content = json.loads(from_base64(json.loads(BLOCKS["enrol.answer"])["document"]))
    assert content["root"] == root
    leaf, *above = x509.load_pem_x509_certificates(content["certificate"].encode())
    for each, issuer in zip((leaf, *above), (*above, x509.load_pem_x509_certificate(root.encode())), strict=True):
        each.verify_directly_issued_by(issuer)
    assert leaf.subject.rfc4514_string() == f"CN={BLOCKS['enrol.agent']}"
    assert leaf.public_key() == x509.load_der_x509_csr(octets("enrol.csr")).public_key()


def test_a_stranger_renews() -> None:
    agent, csr, at = BLOCKS["enrol.agent"], octets("enrol.csr"), 1_796_865_000
    names = COOP.encode() + b"\x00" + agent.encode()
    signed = b"commonwatt/3 renew request\x00" + at.to_bytes(8) + sha256(csr).digest() + names
    assert signed == octets("renew.signed")
    asked = {"version": 3, "agent": agent, "csr": to_base64(csr), "at": at, "signature": to_base64(KEY.sign(signed))}
    assert json.dumps(asked) == BLOCKS["renew.request"]
    assert parse_renewal(BLOCKS["renew.request"]).is_signed_by(KEY.public_key().public_bytes_raw(), coop=COOP)


def test_the_statuses_of_enrolment_are_all_named() -> None:
    section = TEXT[TEXT.index("## 12. Enrolment") : TEXT.index("## 13.")]
    for status in {*ENROLMENT_STATUSES.values(), 400, 403, 413, 415, 503}:
        assert re.search(rf"^\|[^|]*\b{status}\b", section, re.M), f"status {status} is in no row of the table"


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
