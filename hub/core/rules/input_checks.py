"""Why a batch is not settled: one exception with a stable code.

Findings, which a person may pass over, are not here.
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


class RejectedInputError(CommonwattError):
    """The whole batch is refused; nothing was settled or written."""

    def __init__(self, code: str, detail: str) -> None:
        if code not in CODES:
            raise ValueError(f"not a refusal code: {code}")
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


def require_integer(value: object, where: str) -> int:
    """An integer from 0 to 2^53-1, or a refusal that names the place."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise RejectedInputError("not_integer", f"{where} is not an integer")
    if value < 0:
        raise RejectedInputError("negative", f"{where} is negative")
    if value > MAX_INTEGER:
        raise RejectedInputError("out_of_range", f"{where} is greater than 2^53-1")
    return value


def require_member_id(value: object, where: str) -> str:
    """A non-empty text that UTF-8 can carry, or a refusal that names the place."""
    if not isinstance(value, str) or not value:
        raise RejectedInputError("malformed", f"{where} is not a member id (a non-empty text)")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise RejectedInputError(
            "malformed", f"{where} holds half a character pair, which UTF-8 cannot carry"
        ) from None
    return value


def one_line(text: object, *, limit: int = 80) -> str:
    """A short printable form of something a stranger wrote, safe inside a detail line."""
    shown = ascii(text)
    return shown if len(shown) <= limit else shown[: limit - 3] + "..."
