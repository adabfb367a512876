"""What the wire costs: opening and decoding a batch against a bare signature check, and the bytes of a batch."""

from __future__ import annotations

import time
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protocols.quantities import Gap, Mark, Measure
from protocols.wire import envelope, topics
from protocols.wire.readings import Batch, ClockTrust, Column, DeviceState, Liveness, decode_batch, encode_batch

ROUNDS = 7
CALLS = 400


def measure() -> dict[str, float]:
    """Figures from CPU time, the best of several interleaved rounds: ratios to Ed25519 alone in the same run."""
    key = Ed25519PrivateKey.generate()
    public = key.public_key()
    topic = topics.uplink_topic("sunny-street", "a-4k2f9c1d", kind="batch")
    batch = _batch()
    payload = encode_batch(batch)
    sealed = envelope.seal(key, topic, payload)
    signed = envelope.sig_structure(sealed[3:16], envelope.external_aad(topic), payload)
    signature = key.sign(signed)
    verify_s, open_s, sign_s, seal_s = _cpu_s(
        lambda: public.verify(signature, signed),
        lambda: decode_batch(envelope.open_sealed(sealed, topic, public)),
        lambda: key.sign(signed),
        lambda: envelope.seal(key, topic, encode_batch(batch)),
    )
    return {
        "open_and_decode_cpu_per_bare_verify": open_s / verify_s,
        "encode_and_seal_cpu_per_bare_sign": seal_s / sign_s,
        "open_and_decode_us": open_s * 1e6,
        "encode_and_seal_us": seal_s * 1e6,
        "bare_verify_us": verify_s * 1e6,
        "bare_sign_us": sign_s * 1e6,
        "bytes_per_batch_on_the_wire": len(sealed),
        "bytes_per_batch_without_padding": len(sealed) - (len(payload) - len(payload.rstrip(b"\x00"))),
    }


def _cpu_s(*tasks: Callable[[], object]) -> list[float]:
    best = [float("inf")] * len(tasks)
    for _ in range(ROUNDS):
        for number, task in enumerate(tasks):
            began = time.process_time()
            for _ in range(CALLS):
                task()
            best[number] = min(best[number], (time.process_time() - began) / CALLS)
    return best


def _batch() -> Batch:
    """A well-equipped home: every measure and four devices."""
    return Batch(
        *("a-4k2f9c1d", 1_795_212_000, 4711, bytes(range(32))),
        boot=3,
        clock=ClockTrust.TRUSTED,
        consent_version=2,
        made_at=1_795_225_500,
        slot=1_994_694,
        columns=tuple(Column(kind, 1, 300 + 97 * kind, 0, Mark.MEASURED, Gap.NONE) for kind in Measure),
        devices=tuple(DeviceState(name, Liveness.OK, 7) for name in ("battery", "inverter", "meter", "turbine")),
    )
