"""The consent in the household's file, for the commands that need it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from edge_agent.settings import Settings
from protocols.errors import SettingsError

if TYPE_CHECKING:
    from protocols.consent.rules import ConsentSet


def wanted_consent(settings: Settings, home: str | None) -> ConsentSet | None:
    """The consent in the household's file; its home is not checked before the enrolment, which names it."""
    from edge_agent.household import read_consent, rules_to_come

    path = settings.consent
    if path is None:
        return None
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as cause:
        reason = cause.strerror if isinstance(cause, OSError) else "not UTF-8: save it again with that encoding"
        raise SettingsError(f"{settings.source}: consent: {path}: cannot be read: {reason}") from None
    consent = read_consent(text, name=path.name, home=home)
    if home is None:
        rules_to_come(consent, name=path.name, now_s=time.time())
    return consent
