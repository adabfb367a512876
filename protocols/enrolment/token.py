"""The one-time token of an invitation as people type it; two check letters catch typing mistakes.

Made from random bytes that the caller passes in. The token is secret and never appears in an error message.
"""

from __future__ import annotations

from hashlib import sha256

TOKEN_BYTES = 16
TOKEN_LIFE_S = 86400

_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUES = {letter: value for value, letter in enumerate(_LETTERS)}
_READ_AS = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None, "\n": None, "\r": None, "\t": None})
_BODY_LETTERS = 26
_CHECK_LETTERS = 2
# A prime just below 2**10. The order of 32 modulo this prime is above 28, so every single wrong letter and every
# swap of two letters changes the check.
_CHECK_PRIME = 1021


def token_text(secret: bytes) -> str:
    """A token as people type it: 28 letters and digits in seven groups; the last two characters check the others.

    Raises: ValueError unless given exactly 16 random bytes.

    >>> token_text(bytes(range(16)))
    '0004-1061-050R-3GG2-8A1C-60T3-GF5E'
    """
    if len(secret) != TOKEN_BYTES:
        raise ValueError(f"a token is made from {TOKEN_BYTES} random bytes, not {len(secret)}")
    number = int.from_bytes(secret)
    body = _letters(number, _BODY_LETTERS)
    whole = body + _letters(number % _CHECK_PRIME, _CHECK_LETTERS)
    return "-".join(whole[at : at + 4] for at in range(0, len(whole), 4))


def parse_token(text: str) -> bytes:
    """The 16 bytes of a typed token. Case, spaces and hyphens do not matter; O is read as 0, I and L as 1.

    Raises: ValueError with a one-line message: wrong length, invalid letter or typing mistake.

    >>> parse_token("ooo4 lo6l o5or 3gg2 8alc 6ot3 gf5e") == bytes(range(16))
    True
    """
    if len(text) > 200:
        raise ValueError("token: too long: expected 28 letters and digits in groups of four")
    letters = text.upper().translate(_READ_AS)
    wrong = next((letter for letter in letters if letter not in _VALUES), None)
    if wrong is not None:
        raise ValueError(f"token: {wrong!r} does not occur in tokens: expected letters and digits without U")
    if len(letters) != _BODY_LETTERS + _CHECK_LETTERS:
        raise ValueError(f"token: {len(letters)} letters and digits: expected 28 in groups of four")
    number, check = _number(letters[:_BODY_LETTERS]), _number(letters[_BODY_LETTERS:])
    if number >= 1 << 8 * TOKEN_BYTES or number % _CHECK_PRIME != check:
        raise ValueError("token: mistyped: its last two letters do not match the others; compare it letter by letter")
    return number.to_bytes(TOKEN_BYTES)


def token_hash(token: bytes) -> bytes:
    """The hash that a hub stores instead of the token. Units: 32 bytes."""
    return sha256(b"commonwatt/1 token\x00" + token).digest()


def _letters(number: int, count: int) -> str:
    return "".join(_LETTERS[number >> 5 * at & 31] for at in reversed(range(count)))


def _number(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number << 5 | _VALUES[letter]
    return number
