"""`commonwatt-hub settle`: a case file in, JSON on standard output. It reads files; the settling is hub.core's."""

import json
from pathlib import Path
from typing import TextIO

from hub.core.rules.input_checks import RejectedInputError, one_line
from hub.core.settlement.case_file import MAX_CASE_BYTES, parse_case, settle_case

REFUSED_STATUS = 2


def run_settle_command(case_path: str, previous_path: str | None, *, as_json: bool, out: TextIO, err: TextIO) -> int:
    """Settle the case and print the result; returns 0, or 2 if the case is refused or cannot be read.

    `as_json` prints the result on one line. A refusal is printed as JSON on `out` and as a sentence on `err`.
    """
    reading = case_path
    try:
        case, previous = parse_case(_read(case_path)), None
        if previous_path is not None:
            reading = previous_path
            previous = parse_case(_read(previous_path))
        reading = case_path
        answer, status = settle_case(case, previous), 0
    except RejectedInputError as refusal:
        answer, status = {"error": refusal.code, "detail": refusal.detail}, REFUSED_STATUS
        err.write(f"{one_line(reading, limit=400)}: not settled ({refusal.code}): {refusal.detail}\n")
    json.dump(answer, out, indent=None if as_json else 1, separators=(",", ":") if as_json else None)
    out.write("\n")
    return status


def _read(path: str) -> bytes:
    """The file's bytes, up to one more than a case may have."""
    try:
        with Path(path).open("rb") as file:
            return file.read(MAX_CASE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        raise RejectedInputError("malformed", f"cannot read it: {reason}") from None
