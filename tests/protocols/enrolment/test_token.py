"""Tokens: read back however they are typed, and a typing mistake is told from an unknown token."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from protocols.enrolment.token import TOKEN_BYTES, TOKEN_LIFE_S, parse_token, token_hash, token_text

SECRETS = st.binary(min_size=16, max_size=16)
LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@given(secret=SECRETS)
def test_a_token_is_read_back_however_it_is_typed(secret: bytes) -> None:
    token = token_text(secret)
    assert len(token) == 34
    for typed in (token, token.lower(), token.replace("-", " "), f" {token}\n", token.replace("0", "O")):
        assert parse_token(typed) == secret
    assert parse_token(token.replace("1", "l").replace("0", "o")) == secret


@given(secret=SECRETS, at=st.integers(0, 27), letter=st.sampled_from(LETTERS))
def test_every_single_wrong_letter_is_noticed(secret: bytes, at: int, letter: str) -> None:
    letters = token_text(secret).replace("-", "")
    assume(letters[at] != letter)
    with pytest.raises(ValueError, match="mistyped"):
        parse_token(letters[:at] + letter + letters[at + 1 :])


@given(secret=SECRETS, pair=st.lists(st.integers(0, 25), min_size=2, max_size=2, unique=True))
def test_every_swap_of_two_letters_is_noticed(secret: bytes, pair: list[int]) -> None:
    letters = list(token_text(secret).replace("-", ""))
    one, two = pair
    assume(letters[one] != letters[two])
    letters[one], letters[two] = letters[two], letters[one]
    with pytest.raises(ValueError, match="mistyped"):
        parse_token("".join(letters))


@pytest.mark.parametrize("text", ["", "ABCD", "U" * 28, "0" * 27, "0" * 29, "x" * 10_000, "ä" * 28])
def test_what_is_no_token_is_said_in_one_line_without_the_token(text: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_token(text)
    assert "\n" not in str(caught.value)
    assert not text or text[:5] not in str(caught.value)


def test_a_token_is_sixteen_bytes() -> None:
    with pytest.raises(ValueError, match="16"):
        token_text(b"short")
    assert parse_token(token_text(bytes([255]) * 16)) == bytes([255]) * 16


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("0" * 27, "27 letters and digits: expected 28 in groups of four"),
        ("0" * 29, "29 letters and digits: expected 28 in groups of four"),
        ("U" * 28, "'U' does not occur in tokens"),
        ("0" * 201, "too long"),
        ("0" * 200, "200 letters and digits"),
        ("0" * 27 + "1", "mistyped"),
    ],
)
def test_the_mistake_is_named(text: str, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        parse_token(text)


def test_a_number_beyond_sixteen_bytes_is_a_mistake_even_with_its_own_check() -> None:
    """26 letters hold 130 bits: numbers from 2 to the power of 128 on belong to no token."""
    number = 1 << 128
    letters = [LETTERS[number >> 5 * at & 31] for at in reversed(range(26))]
    check = number % 1021
    with pytest.raises(ValueError, match="mistyped"):
        parse_token("".join(letters) + LETTERS[check >> 5] + LETTERS[check & 31])


def test_the_text_of_known_tokens() -> None:
    assert token_text(bytes(16)) == "-".join(["0000"] * 7)
    # The number 1021 leaves no rest, 1022 leaves 1: the last two letters count the rest modulo 1021.
    assert token_text((1021).to_bytes(16)) == "0000-0000-0000-0000-0000-0000-ZX00"
    assert token_text((1022).to_bytes(16)) == "0000-0000-0000-0000-0000-0000-ZY01"


def test_a_hub_stores_a_labelled_hash() -> None:
    assert token_hash(bytes(16)) == sha256(b"commonwatt/1 token\x00" + bytes(16)).digest()


def test_a_token_is_valid_for_a_day() -> None:
    assert (TOKEN_BYTES, TOKEN_LIFE_S) == (16, 24 * 3600)
