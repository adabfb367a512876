"""Keys under which anybody can sign are refused, found here from the curve itself; names follow from keys."""

from __future__ import annotations

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from protocols.public_keys import agent_name_of, is_name_of, is_sound_key

PRIME = 2**255 - 19
D = -121665 * pow(121666, -1, PRIME) % PRIME
ORDER = 2**252 + 27742317777372353535851937790883648493
Point = tuple[int, int]


def add(one: Point, two: Point) -> Point:
    (x1, y1), (x2, y2) = one, two
    product = D * x1 * x2 * y1 * y2 % PRIME
    x = (x1 * y2 + x2 * y1) * pow(1 + product, -1, PRIME) % PRIME
    return x, (y1 * y2 + x1 * x2) * pow(1 - product, -1, PRIME) % PRIME


def times(number: int, point: Point) -> Point:
    total: Point = (0, 1)
    while number:
        total = add(total, point) if number & 1 else total
        point, number = add(point, point), number >> 1
    return total


def point_with(y: int) -> Point | None:
    square = (y * y - 1) * pow(D * y * y + 1, -1, PRIME) % PRIME
    x = pow(square, (PRIME + 3) // 8, PRIME)
    if x * x % PRIME != square:
        x = x * pow(2, (PRIME - 1) // 4, PRIME) % PRIME
    return (x, y) if x * x % PRIME == square else None


def small_order_points() -> set[Point]:
    """A point of the curve times the prime order lies in the group of eight; one of order 8 gives them all."""
    for y in range(2, 100):
        found = point_with(y)
        if found is not None and times(4, small := times(ORDER, found)) != (0, 1):
            return {times(number, small) for number in range(8)}
    raise AssertionError("no point of order 8 below 100")


def spelled(y: int, sign: int) -> bytes:
    return (y | sign << 255).to_bytes(32, "little")


def test_all_eight_points_of_small_order_are_refused_in_every_spelling() -> None:
    points = small_order_points()
    assert len(points) == 8
    spellings = {
        spelled(y + extra, sign) for _, y in points for sign in (0, 1) for extra in (0, PRIME) if y + extra < 2**255
    }
    assert len(spellings) == 14, "ten of the points, four more of those with a y below 19"
    assert not any(map(is_sound_key, spellings))


def test_under_the_identity_a_signature_needs_no_secret() -> None:
    """Why they are refused: the library itself takes such a key."""
    key = Ed25519PublicKey.from_public_bytes(spelled(1, 0))
    forged = spelled(1, 0) + bytes(32)
    try:
        key.verify(forged, b"anything")
    except InvalidSignature:
        pytest.skip("this release of the library refuses such keys itself")


@pytest.mark.parametrize("y", range(PRIME, 2**255))
@pytest.mark.parametrize("sign", [0, 1])
def test_a_second_spelling_is_refused(y: int, sign: int) -> None:
    assert not is_sound_key(spelled(y, sign))


@given(seed=st.binary(min_size=32, max_size=32))
def test_a_real_key_is_sound_and_names_its_agent(seed: bytes) -> None:
    public_key = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    name = agent_name_of(public_key)
    assert is_sound_key(public_key)
    assert len(name) == 28
    assert is_name_of(name, public_key)
    assert is_name_of(name[:10], public_key), "agents of earlier releases keep their shorter name"
    assert not is_name_of(name[:11], public_key)
    assert not is_name_of(name, bytes(32))


def test_other_sizes_are_no_keys() -> None:
    assert not is_sound_key(bytes(31))
    assert not is_sound_key(b"\x07" * 33)
