"""The household's consent as it is: in force at the end of the chain, and as the household's file last says."""

from __future__ import annotations

from pathlib import Path

from edge_agent.household import read_consent
from edge_agent.outbox.view import held_consent
from edge_agent.uplink.identity import load_enrolment
from protocols.consent.rules import ConsentSet, decode_consent
from protocols.consent.text import parse_consent
from protocols.errors import RequestError, SettingsError
from protocols.wire.refusal_reasons import WireError


def consent_now(data: Path) -> ConsentSet:
    """The consent in force: at the end of the chain, or that of the enrolment before the first run.

    Raises: IdentityError, OutboxError, RequestError.
    """
    enrolment = load_enrolment(data)
    kept = held_consent(data)
    try:
        return parse_consent(enrolment.consent) if kept is None else decode_consent(kept)
    except WireError as cause:
        raise RequestError(f"{data}: the stored consent cannot be read: {cause.detail}") from None


def consent_given(path: Path | None, held: ConsentSet) -> ConsentSet:
    """The consent in the household's file; the one in force where there is no file. Raises: SettingsError."""
    if path is None or not path.exists():
        return held
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as cause:
        reason = cause.strerror if isinstance(cause, OSError) else "not UTF-8: save it again with that encoding"
        raise SettingsError(f"{path}: cannot be read: {reason}") from None
    return read_consent(text, name=path.name, home=held.home)
