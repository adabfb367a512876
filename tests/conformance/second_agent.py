"""A second agent, written from docs/wire-format.md alone: it imports nothing of ours.

Small on purpose: one home, memory for a store, and no devices. What it does when a number is refused is section 11.
"""

import json
from dataclasses import dataclass, field
from hashlib import sha256
from os import urandom

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SIZES = (512, 1024, 2048, 4096, 8192, 16384)


def padded(fields):
    """Section 4."""
    body = cbor2.dumps(fields)
    size = next(size for size in SIZES if len(body) + 3 + 86 <= size) - 86
    strings = [b""] if size - len(body) in (27, 260) else []
    for length in range(size - len(body)):
        payload = cbor2.dumps({**fields, 23: [*strings, bytes(length)]})
        if len(payload) == size:
            return payload
    raise AssertionError("the document's padding rule does not fill the class")


def signed_bytes(protected, topic, payload):
    """Section 3."""
    return cbor2.dumps(["Signature1", protected, b"commonwatt/1\x00" + topic.encode(), payload])


def sealed(key, topic, payload):
    kid = sha256(key.public_key().public_bytes_raw()).digest()[:8]
    protected = cbor2.dumps({1: -19, 4: kid})
    signature = key.sign(signed_bytes(protected, topic, payload))
    return cbor2.dumps(cbor2.CBORTag(18, [protected, {}, payload, signature]))


@dataclass
class SecondAgent:
    """Its chain and what it heard. `kept`: messages of the current epoch without a receipt, as (seq, kind, fields)."""

    coop: str
    name: str
    key: Ed25519PrivateKey
    hub_key: Ed25519PublicKey
    epoch: int = 1
    seq: int = 0
    previous: bytes = bytes(32)
    consent: int = 1
    kept: list = field(default_factory=list)
    hashes: dict = field(default_factory=dict)
    wire: dict = field(default_factory=dict)
    refused: list = field(default_factory=list)
    told: list = field(default_factory=list)
    nonce: bytes = b""
    hub_time: int = 0
    identity: Ed25519PublicKey | None = None
    key_order: tuple = (0, 0)

    def topic(self, way, kind):
        shard = sha256(self.name.encode()).digest()[0] % 64
        return f"cw1/{self.coop}/{shard}/{self.name}/{way}/{kind}"

    def add(self, kind, fields, *, head=(1, 2, 3, 4, 5), version=1):
        """Number, seal and keep a message. `head` and `version` let a test make one the hub cannot read."""
        self.seq += 1
        whole = {1: version, 2: self.name, 3: self.epoch, 4: self.seq, 5: self.previous}
        payload = padded({**{key: whole[key] for key in head}, **fields})
        topic = self.topic("up", kind)
        message = sealed(self.key, topic, payload)
        self.previous = sha256(message).digest()
        self.kept.append((self.seq, kind, fields))
        self.hashes[self.seq] = self.previous
        self.wire[self.seq] = (topic, message)

    def add_batch(self, slot, *, closed=None, columns=None, totals=()):
        columns = columns or [[1, 1, slot % 900, 0, 0, 0], [2, 1, 0, 0, 0, 0]]
        closed = (slot + 1) * 900 if closed is None else closed
        self.add("batch", {6: 1, 7: 0, 8: self.consent, 9: closed, 10: slot, 11: columns, 12: list(totals), 13: []})

    def add_answer(self, prompt, choice, at):
        self.add("answer", {6: prompt, 7: choice, 8: at})

    def outgoing(self):
        """Everything without a receipt, in order, always the same bytes."""
        return [self.wire[seq] for seq, _, _ in self.kept]

    def question(self, at, state):
        """Section 10, time."""
        self.nonce = urandom(16)
        topic = self.topic("up", "time")
        return topic, sealed(self.key, topic, padded({1: 1, 2: self.name, 3: self.nonce, 4: at, 5: state}))

    def hear(self, topic, message):
        """Take what the hub signed for this agent, and act on it."""
        if topic == self.topic("down", "keys"):
            self.take_certificate(message)
            return
        protected, _, payload, signature = cbor2.loads(message).value
        try:
            self.hub_key.verify(signature, signed_bytes(protected, topic, payload))
        except InvalidSignature:
            return
        fields = cbor2.loads(payload)
        if topic == self.topic("down", "receipt"):
            self.take_receipt(fields)
        elif topic == self.topic("down", "refused"):
            self.take_refusal(fields)
        elif topic == self.topic("down", "time") and fields[3] == self.nonce:
            self.hub_time = fields[4]

    def take_certificate(self, text):
        """Section 10, keys; without an overlap, which this agent does without. `hub_key` begins as the identity key."""
        self.identity = self.identity or self.hub_key
        found = json.loads(text)
        signed = (
            b"commonwatt/3 hub key\x00" + json.dumps(found["document"], sort_keys=True, separators=(",", ":")).encode()
        )
        try:
            self.identity.verify(bytes.fromhex(found["signature"]), signed)
        except InvalidSignature:
            return
        order = (found["document"]["number"], found["document"]["valid_from"])
        if found["document"]["coop"] == self.coop and order > self.key_order:
            self.key_order = order
            self.hub_key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(found["document"]["public_key"]))

    def take_receipt(self, fields):
        through = fields[4]
        if fields[3] != self.epoch or (through and fields[5] != self.hashes.get(through)):
            return
        self.kept = [each for each in self.kept if each[0] > through]
        for seq, reason in fields[8]:
            if (self.epoch, seq, reason) not in self.refused:
                self.refused.append((self.epoch, seq, reason))

    def take_refusal(self, fields):
        """Rule 9: put the message aside, and seal everything else without a receipt again in a new epoch."""
        aside = next((seq for seq, _, _ in self.kept if self.hashes[seq] == fields[4]), None)
        if aside is None:
            return
        self.told.append((self.epoch, aside, fields[5]))
        again = [(kind, body) for seq, kind, body in self.kept if seq != aside]
        self.epoch, self.seq, self.previous = self.epoch + 1, 0, bytes(32)
        self.kept, self.hashes, self.wire = [], {}, {}
        for kind, body in again:
            self.add(kind, body)
