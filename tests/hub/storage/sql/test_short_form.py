"""A message stored short comes back byte for byte, whatever it is; what was altered in the store is not hidden."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from hub.storage.sql.short_form import sealed_bytes, shortened, whole
from protocols.consent.rules import default_consent
from protocols.quantities import Gap, Mark, Measure
from protocols.wire.chain import FIRST_PREVIOUS
from protocols.wire.envelope import batch_hash, open_sealed, seal
from protocols.wire.messages import AnswerChoice
from protocols.wire.padding import SIZE_CLASSES, encode_padded, padded, unpadded
from protocols.wire.readings import Column, LongInterval
from tests.hub.sending_home import FIRST_SLOT, SendingHome

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
HASH = bytes(range(32))


def stored(sealed: bytes, home: SendingHome, previous: bytes) -> bytes:
    short = shortened(sealed, home.agent, previous)
    assert whole(short, home.agent, previous) == sealed
    assert sealed_bytes(short[:1], len(short)) == len(sealed)
    return short


def test_an_ordinary_batch_takes_less_than_a_third() -> None:
    home = SendingHome("h01", KEY)
    _, first = home.batch()
    _, second = home.batch()
    for sealed, previous in ((first, FIRST_PREVIOUS), (second, batch_hash(first))):
        assert len(sealed) == SIZE_CLASSES[0]
        assert len(stored(sealed, home, previous)) < len(sealed) // 3


@given(
    seq=st.integers(0, 2**32 - 2),
    epoch=st.integers(1, 2**32 - 1),
    energies=st.lists(st.integers(0, 10**6), min_size=1, max_size=7),
    totals=st.integers(0, 32),
)
def test_every_size_and_every_number_comes_back(seq: int, epoch: int, energies: list[int], totals: int) -> None:
    home = SendingHome("h01", KEY, epoch=epoch, seq=seq, previous=HASH if seq else FIRST_PREVIOUS)
    columns = [
        Column(measure, 1, energy, 0, Mark.MEASURED, Gap.NONE)
        for measure, energy in zip(sorted(Measure), energies, strict=False)
    ]
    spans = tuple(LongInterval(Measure.GRID_IMPORT, FIRST_SLOT - 200 + n, 1, n) for n in range(totals))
    topic, sealed = home.batch(FIRST_SLOT, columns=columns, long_intervals=spans)
    short = stored(sealed, home, HASH if seq else FIRST_PREVIOUS)
    assert short[0] < len(SIZE_CLASSES) + 1, "it is not stored whole"
    open_sealed(whole(short, home.agent, HASH if seq else FIRST_PREVIOUS), topic, KEY.public_key())


def test_answers_and_consents_come_back() -> None:
    home = SendingHome("h01", KEY)
    previous = FIRST_PREVIOUS
    for _, sealed in (home.consent(default_consent("h01", 2)), home.answer("p-1", choice=AnswerChoice.NO)):
        assert len(stored(sealed, home, previous)) < len(sealed)
        previous = batch_hash(sealed)


@given(st.binary(max_size=700), st.binary(min_size=32, max_size=32))
def test_any_bytes_come_back(sealed: bytes, previous: bytes) -> None:
    stored(sealed, SendingHome("h01", KEY), previous)


@given(st.binary(max_size=400), st.sampled_from(SIZE_CLASSES[:3]), st.booleans())
def test_any_payload_signed_comes_back(payload: bytes, size: int, fills: bool) -> None:
    home = SendingHome("h01", KEY)
    if fills:
        payload = payload[: size - 86].ljust(size - 86, b"\0")
    stored(seal(KEY, "t", payload), home, HASH)


@given(st.integers(0, 250), st.integers(1, 255))
def test_whatever_is_altered_in_the_store_no_longer_fits_its_hash(at: int, by: int) -> None:
    home = SendingHome("h01", KEY)
    _, sealed = home.batch()
    short = shortened(sealed, home.agent, FIRST_PREVIOUS)
    at %= len(short)
    altered = short[:at] + bytes([short[at] ^ by]) + short[at + 1 :]
    assert batch_hash(whole(altered, home.agent, FIRST_PREVIOUS)) != batch_hash(sealed)
    assert batch_hash(whole(short[:at], home.agent, FIRST_PREVIOUS)) != batch_hash(sealed)


def test_the_wrong_neighbour_or_agent_gives_other_bytes() -> None:
    home, other = SendingHome("h01", KEY), SendingHome("h02")
    _, sealed = home.batch()
    short = shortened(sealed, home.agent, FIRST_PREVIOUS)
    assert whole(short, home.agent, HASH) != sealed
    assert whole(short, other.agent, FIRST_PREVIOUS) != sealed
    assert shortened(sealed, other.agent, FIRST_PREVIOUS) == sealed, "stored whole"
    assert shortened(sealed, home.agent, HASH) == sealed


@pytest.mark.parametrize("fill", range(120))
def test_padding_is_cut_and_put_back_at_every_length(fill: int) -> None:
    payload = encode_padded({1: 1, 2: bytes(fill) + b"x" * fill})
    body = unpadded(payload)
    assert body is not None
    assert padded(body, len(payload)) == payload
    assert unpadded(payload[:-1]) is None
    with pytest.raises(ValueError, match="no room"):
        padded(body, len(body) + 2)
