"""Refuses input that cannot be settled: one exception with a stable code, and the checks that raise it.

Findings, which a person may overrule, are kept elsewhere.
"""

from typing import Final

from protocols.errors import CommonwattError

MAX_INTEGER: Final = 2**53 - 1

CODES: Final = frozenset(
    {
        "not_integer",
        "negative",
        "out_of_range",
        "unknown_member",
        "duplicate_member",
        "no_members",
        "duplicate_interval",
        "interval_count",
        "weights_members",
        "weights_zero",
        "tiers_members",
        "group_members",
        "reserve_ppm",
        "coefficients_over_one",
        "missing_reading",
        "sell_over_buy",
        "method",
        "malformed",
    }
)
"""Those of the settlement rules."""

RUN_CODES: Final = frozenset({"no_readings"})
"""Those of a month's run, which asks more than whether the input can be settled."""


class RejectedInputError(CommonwattError):
    """The whole input is refused; nothing was settled or written."""

    def __init__(self, code: str, detail: str) -> None:
        if code not in CODES | RUN_CODES:
            raise ValueError(f"not a refusal code: {code}")
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


def require_integer(value: object, where: str) -> int:
    """An integer from 0 to 2^53-1. Raises: RejectedInputError, naming the place."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise RejectedInputError("not_integer", f"{where} is not an integer")
    if value < 0:
        raise RejectedInputError("negative", f"{where} is negative")
    if value > MAX_INTEGER:
        raise RejectedInputError("out_of_range", f"{where} is greater than 2^53-1")
    return value


def require_member_id(value: object, where: str) -> str:
    """Non-empty text that UTF-8 can encode. Raises: RejectedInputError, naming the place."""
    if not isinstance(value, str) or not value:
        raise RejectedInputError("malformed", f"{where} is not a member id (a non-empty text)")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise RejectedInputError(
            "malformed", f"{where} contains half a surrogate pair, which UTF-8 cannot encode"
        ) from None
    return value


def one_line(text: object, *, limit: int = 80) -> str:
    """A short printable form of untrusted input, safe to put in a detail line.

    >>> one_line("two\\nlines")
    "'two\\\\nlines'"
    """
    shown = ascii(text)
    return shown if len(shown) <= limit else shown[: limit - 3] + "..."
