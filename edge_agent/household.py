"""The household's consent when the agent starts: which version is in force, and whether the hub must be informed.

Decides and stores; the caller passes in the file's text.
"""

from __future__ import annotations

import logging

from edge_agent.outbox.store import Outbox
from edge_agent.uplink.identity import Identity
from edge_agent.uplink.sealing import seal_consent_notice
from protocols.consent.rules import ConsentSet, decode_consent, encode_consent
from protocols.consent.text import parse_consent
from protocols.errors import SettingsError
from protocols.slots import SLOTS_PER_UTC_DAY, format_slot, parse_slot, slot_of

log = logging.getLogger("commonwatt.agent")

FAR_SLOTS = 5 * 365 * SLOTS_PER_UTC_DAY
RELEASE_SLOT = parse_slot("2026-11-28T00:00Z")


def read_consent(text: str, *, name: str, home: str | None) -> ConsentSet:
    """The consent in a household's file; `home` is None before it is known. Raises SettingsError."""
    try:
        consent = parse_consent(text)
    except ValueError as complaint:
        raise SettingsError(f"{name}: {complaint}") from None
    if home is not None and consent.home != home:
        raise SettingsError(f"{name}: home: expected {home!r}, this agent's home, found {consent.home!r}")
    return consent


def rules_to_come(consent: ConsentSet, *, name: str, now_s: float) -> list[str]:
    """One line for each rule that does not hold yet. Raises: SettingsError for one that is years away.

    That is a slip in the year. A clock that has not been set yet counts as this program's release, so that it makes no
    rule look far away.
    """
    now = max(slot_of(now_s), RELEASE_SLOT)
    lines: list[str] = []
    for rule in consent.rules:
        begins = format_slot(rule.valid_from)
        if rule.valid_from > now + FAR_SLOTS:
            raise SettingsError(
                f"{name}: rule for {rule.purpose}: valid_from {begins} is more than five years away: is the year right?"
            )
        if rule.valid_from > now:
            lines.append(f"{name}: the rule for {rule.purpose} starts at {begins}; nothing is sent under it until then")
    return lines


async def consent_in_force(
    outbox: Outbox, identity: Identity, *, wanted: ConsentSet | None, name: str, now_s: float
) -> ConsentSet:
    """The consent that applies to every batch from now on; a new one enters the chain first. Raises SettingsError."""
    if wanted is not None:
        for line in rules_to_come(wanted, name=name, now_s=now_s):
            log.info(line)
    kept = await outbox.consent()
    held = decode_consent(kept[1]) if kept else identity.consent
    consent = wanted or held
    if consent.version < held.version:
        raise SettingsError(f"{name}: version: {held.version} is in force, expected that or a higher number")
    if consent.version == held.version and consent != held:
        raise SettingsError(
            f"{name}: version: the rules differ from version {held.version}, expected {held.version + 1} for new rules"
        )
    if kept is None or consent != held:
        # At the first start its receipt shows within seconds that the link works, long before the first readings do.
        notice = seal_consent_notice(identity.signer, consent)
        await outbox.append_consent(consent.version, encode_consent(consent), notice=notice, now_s=now_s)
    return consent
