"""Tokens: read back however they are typed, and a typing mistake is told from an unknown token."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from protocols.enrolment.token import TOKEN_LIFE_S, EnrolToken, hub_hash_of, parse_token, token_text

TOKENS = st.builds(EnrolToken, st.binary(min_size=16, max_size=16), st.binary(min_size=10, max_size=10))
LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def token_of(number: int) -> EnrolToken:
    whole = number.to_bytes(26)
    return EnrolToken(whole[:16], whole[16:])


@given(token=TOKENS)
def test_a_token_is_read_back_however_it_is_typed(token: EnrolToken) -> None:
    text = token_text(token)
    assert len(text) == 54
    for typed in (text, text.lower(), text.replace("-", " "), f" {text}\n", text.replace("0", "O")):
        assert parse_token(typed) == token
    assert parse_token(text.replace("1", "l").replace("0", "o")) == token


@given(token=TOKENS, at=st.integers(0, 43), letter=st.sampled_from(LETTERS))
def test_every_single_wrong_letter_is_noticed(token: EnrolToken, at: int, letter: str) -> None:
    letters = token_text(token).replace("-", "")
    assume(letters[at] != letter)
    with pytest.raises(ValueError, match="mistyped"):
        parse_token(letters[:at] + letter + letters[at + 1 :])


@given(token=TOKENS, pair=st.lists(st.integers(0, 41), min_size=2, max_size=2, unique=True))
def test_every_swap_of_two_letters_is_noticed(token: EnrolToken, pair: list[int]) -> None:
    letters = list(token_text(token).replace("-", ""))
    one, two = pair
    assume(letters[one] != letters[two])
    letters[one], letters[two] = letters[two], letters[one]
    with pytest.raises(ValueError, match="mistyped"):
        parse_token("".join(letters))


@pytest.mark.parametrize("text", ["", "ABCD", "U" * 44, "0" * 43, "0" * 45, "x" * 10_000, "\u00e4" * 44])
def test_what_is_no_token_is_said_in_one_line_without_the_token(text: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_token(text)
    assert "\n" not in str(caught.value)
    assert not text or text[:5] not in str(caught.value)


def test_a_token_is_sixteen_bytes_and_ten_of_the_hubs_key() -> None:
    with pytest.raises(ValueError, match="16"):
        token_text(EnrolToken(b"short", bytes(10)))
    with pytest.raises(ValueError, match="10"):
        token_text(EnrolToken(bytes(16), bytes(9)))
    highest = EnrolToken(bytes([255]) * 16, bytes([255]) * 10)
    assert parse_token(token_text(highest)) == highest


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("0" * 43, "expected 44 letters and digits in groups of four, found 43: copy the whole of it, in one line"),
        ("0" * 45, "expected 44 letters and digits in groups of four, found 45"),
        ("U" * 44, "'U' does not occur in tokens"),
        ("0" * 201, "too long"),
        ("0" * 200, "in groups of four"),
        ("0" * 43 + "1", "mistyped"),
        ("0" * 28, "found 28: copy the whole of it"),
        ("0004-1061-050R-3GG2-8A1C-60T3-GF5E", "made by a hub of an older release: ask the board for a new one"),
    ],
)
def test_the_mistake_is_named(text: str, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        parse_token(text)


def test_a_number_beyond_the_bytes_is_a_mistake_even_with_its_own_check() -> None:
    """42 letters hold 210 bits: numbers from 2 to the power of 208 on belong to no token."""
    number = 1 << 208
    letters = [LETTERS[number >> 5 * at & 31] for at in reversed(range(42))]
    check = number % 1021
    with pytest.raises(ValueError, match="mistyped"):
        parse_token("".join(letters) + LETTERS[check >> 5] + LETTERS[check & 31])


def test_the_text_of_known_tokens() -> None:
    assert token_text(token_of(0)) == "-".join(["0000"] * 11)
    # The number 1021 leaves no rest, 1022 leaves 1: the last two letters count the rest modulo 1021.
    assert token_text(token_of(1021)).endswith("-0000-ZX00")
    assert token_text(token_of(1022)).endswith("-0000-ZY01")


def test_id_and_key_are_labelled_hashes_of_the_secret_alone() -> None:
    token = EnrolToken(bytes(16), bytes(10))
    assert token.id == sha256(b"commonwatt/2 enrol id\x00" + bytes(16)).digest()
    assert token.key == sha256(b"commonwatt/2 enrol key\x00" + bytes(16)).digest()
    assert bytes(16).hex() not in repr(token)


def test_a_token_knows_its_hub() -> None:
    assert hub_hash_of(b"k" * 32) == sha256(b"k" * 32).digest()[:10]
    assert EnrolToken(bytes(16), hub_hash_of(b"k" * 32)).is_of_hub(b"k" * 32)
    assert not EnrolToken(bytes(16), hub_hash_of(b"k" * 32)).is_of_hub(b"j" * 32)


def test_a_token_is_valid_for_a_day() -> None:
    assert TOKEN_LIFE_S == 24 * 3600
