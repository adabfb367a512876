"""The one-time token of an invitation as people type it; two check letters catch typing mistakes.

It holds a secret, from random bytes that the caller passes in, and a hash of the hub's key. The token itself is never
sent: its id names the invitation, its key authenticates request and answer. It never appears in an error message.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256

SECRET_BYTES = 16
HUB_HASH_BYTES = 10
TOKEN_LIFE_S = 86400

_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUES = {letter: value for value, letter in enumerate(_LETTERS)}
_READ_AS = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None, "\n": None, "\r": None, "\t": None})
_TOKEN_BYTES = SECRET_BYTES + HUB_HASH_BYTES
_BODY_LETTERS = 42
_CHECK_LETTERS = 2
_COUNT = _BODY_LETTERS + _CHECK_LETTERS
_OLD_COUNT = 28
# A prime just below 2**10. The order of 32 modulo this prime is 68, more than there are letters, so every single wrong
# letter and every swap of two letters changes the check.
_CHECK_PRIME = 1021


@dataclass(frozen=True, slots=True)
class EnrolToken:
    """A token. `hub_hash` is the beginning of SHA-256 over the public key of the hub that made it."""

    secret: bytes = field(repr=False)
    hub_hash: bytes

    @property
    def id(self) -> bytes:
        """What a request names and a hub stores instead of the token. Units: 32 bytes."""
        return sha256(b"commonwatt/2 enrol id\x00" + self.secret).digest()

    @property
    def key(self) -> bytes:
        """The key that request and answer are authenticated with. Units: 32 bytes."""
        return sha256(b"commonwatt/2 enrol key\x00" + self.secret).digest()

    def is_of_hub(self, public_key: bytes) -> bool:
        """Whether the hub with this key made the token."""
        return hub_hash_of(public_key) == self.hub_hash


def hub_hash_of(public_key: bytes) -> bytes:
    """The hash of a hub's public key that its tokens carry. Units: 10 bytes."""
    return sha256(public_key).digest()[:HUB_HASH_BYTES]


def token_text(token: EnrolToken) -> str:
    """A token as people type it: 44 letters and digits in eleven groups; the last two characters check the others.

    Raises: ValueError unless it has exactly 16 random bytes and a hash of 10.

    >>> token_text(EnrolToken(bytes(range(16)), bytes(10)))
    '0004-1061-050R-3GG2-8A1C-60T3-GF00-0000-0000-0000-0048'
    """
    if len(token.secret) != SECRET_BYTES or len(token.hub_hash) != HUB_HASH_BYTES:
        raise ValueError(f"a token is made from {SECRET_BYTES} random bytes and {HUB_HASH_BYTES} of the hub's key")
    number = int.from_bytes(token.secret + token.hub_hash)
    whole = _letters(number, _BODY_LETTERS) + _letters(number % _CHECK_PRIME, _CHECK_LETTERS)
    return "-".join(whole[at : at + 4] for at in range(0, len(whole), 4))


def parse_token(text: str) -> EnrolToken:
    """The token that was typed. Case, spaces and hyphens do not matter; O is read as 0, I and L as 1.

    Raises: ValueError with a one-line message: wrong length, invalid letter or typing mistake.
    """
    if len(text) > 200:
        raise ValueError(f"token: too long: expected {_COUNT} letters and digits in groups of four")
    letters = text.upper().translate(_READ_AS)
    wrong = next((letter for letter in letters if letter not in _VALUES), None)
    if wrong is not None:
        raise ValueError(f"token: {wrong!r} does not occur in tokens: expected letters and digits without U")
    if len(letters) == _OLD_COUNT:
        raise ValueError(
            f"token: expected {_COUNT} letters and digits, found {_OLD_COUNT}: copy the whole of it, in one line; if"
            " this is the whole, it was made by a hub of an older release: ask the board for a new one"
        )
    if len(letters) != _COUNT:
        hint = ": copy the whole of it, in one line" if len(letters) < _COUNT else ""
        raise ValueError(f"token: expected {_COUNT} letters and digits in groups of four, found {len(letters)}{hint}")
    number, check = _number(letters[:_BODY_LETTERS]), _number(letters[_BODY_LETTERS:])
    if number >= 1 << 8 * _TOKEN_BYTES or number % _CHECK_PRIME != check:
        raise ValueError("token: mistyped: its last two letters do not match the others; compare it letter by letter")
    whole = number.to_bytes(_TOKEN_BYTES)
    return EnrolToken(whole[:SECRET_BYTES], whole[SECRET_BYTES:])


def _letters(number: int, count: int) -> str:
    return "".join(_LETTERS[number >> 5 * at & 31] for at in reversed(range(count)))


def _number(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number << 5 | _VALUES[letter]
    return number
