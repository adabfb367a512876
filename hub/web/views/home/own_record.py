"""What a household can see about its own data: who accessed it, and what its consent allows. Shows no values."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from hub.storage.contract import Store
from hub.storage.records import AccessRow, Home, Member
from hub.web.frame.translation import Localizer
from protocols.consent.purposes import CATALOGUE, Basis, Resolution, purpose_of
from protocols.consent.rules import ConsentRule, ConsentSet, decode_consent
from protocols.quantities import Measure
from protocols.slots import Slot
from protocols.wire.refusal_reasons import WireError

ACCOUNT_FIELDS: Final = "bank account"
PAYMENT_FIELDS: Final = "payments"
OBJECTION_FIELDS: Final = "objections"
FINDING_FIELDS: Final = "findings"
TRIAL_FIELDS: Final = "a rule tried on settled days"
FAIRNESS_FIELDS: Final = "the fairness report"
STATEMENT_LOOK: Final = "the statement"


@dataclass(frozen=True, slots=True)
class AccessEntry:
    """One line of the access log as a sentence."""

    at: str
    who: str
    what: str


@dataclass(frozen=True, slots=True)
class AccessDay:
    day: str
    entries: tuple[AccessEntry, ...]


def access_days(
    rows: Sequence[AccessRow], members: Sequence[Member], words: Localizer, *, self_id: str
) -> tuple[AccessDay, ...]:
    """The access log by local day, newest first."""
    names = {member.id: member.name for member in members}
    days = []
    for day, group in groupby(rows, key=lambda row: words.local(row.at).date()):
        entries = (_entry(row, names, words, self_id=self_id) for row in group)
        # One page may read several tables: identical lines of the same minute become one.
        days.append(AccessDay(words.day(day), tuple(entry for entry, _ in groupby(entries))))
    return tuple(days)


def _entry(row: AccessRow, names: dict[str, str], words: Localizer, *, self_id: str) -> AccessEntry:
    if row.role == "self":
        who = words.text("You") if row.actor == self_id else names.get(row.actor, row.actor)
        what = _own_access(row, words)
    elif row.role == "board":
        name = names.get(row.actor, row.actor)
        who = _job(row.actor, words) if row.actor.startswith("job:") else words.text("%(name)s (board)", name=name)
        what = _board_access(row, words)
    else:
        who = _job(row.actor, words)
        what = words.text("Read your home's values. Purpose: %(purpose)s", purpose=purpose_words(row.purpose, words))
    if row.count > 1:
        what = words.plural("%(what)s (%(n)s time that day)", "%(what)s (%(n)s times that day)", row.count, what=what)
    return AccessEntry(words.clock_at(row.at), who, what)


def _board_access(row: AccessRow, words: Localizer) -> str:
    purpose = purpose_words(row.purpose, words)
    what = {
        ACCOUNT_FIELDS: words.text("Opened your bank account. Purpose: %(purpose)s", purpose=purpose),
        PAYMENT_FIELDS: words.text("Opened your payments. Purpose: %(purpose)s", purpose=purpose),
        OBJECTION_FIELDS: words.text("Opened your objections. Purpose: %(purpose)s", purpose=purpose),
    }.get(row.fields, words.text("Opened your readings. Purpose: %(purpose)s", purpose=purpose))
    if not row.reason:
        return what
    return words.text("%(what)s. Reason: %(reason)s", what=what, reason=row.reason)


def _own_access(row: AccessRow, words: Localizer) -> str:
    if row.reason == STATEMENT_LOOK:
        return words.text("Opened your statement")
    return {
        ACCOUNT_FIELDS: words.text("Opened your bank account"),
        OBJECTION_FIELDS: words.text("Opened your objections"),
        FINDING_FIELDS: words.text("Opened the problems found in your readings"),
        TRIAL_FIELDS: words.text("Tried another rule on your settled days"),
        FAIRNESS_FIELDS: words.text("Opened the fairness report"),
    }.get(row.fields, words.text("Opened your home's page"))


def _job(actor: str, words: Localizer) -> str:
    name = actor.removeprefix("job:")
    known = {
        "today-page": words.text("The hub (Today page)"),
        "forecast": words.text("The hub (forecast)"),
        "prompts": words.text("The hub (prompts)"),
        "prompt": words.text("The hub (prompts)"),
        "settlement": words.text("The hub (settlement)"),
        "settle": words.text("The hub (settlement)"),
        "settlement-preview": words.text("The hub (run preview)"),
        "statement": words.text("The hub (statements)"),
        "what-if": words.text("The hub (trying a rule)"),
        "fairness": words.text("The hub (fairness report)"),
        "verify": words.text("The hub (verification)"),
    }
    return known.get(name, words.text("The hub (%(job)s)", job=name))


def purpose_words(code: str, words: Localizer) -> str:
    """What a purpose of the catalogue means, as a phrase that can follow a colon."""
    known = {
        "settle.share": words.text("share surplus energy and settle it"),
        "device.health": words.text("see whether devices answer, without any amounts"),
        "forecast.hood": words.text("forecast the neighbourhood's totals"),
        "forecast.home": words.text("forecast this home"),
        "prompt.shift": words.text("propose better hours for appliances"),
        "peers.view": words.text("show this home to the other members"),
        "research": words.text("take part in a research project"),
        "grid.flex": words.text("report flexibility to the grid operator"),
        "own.view": words.text("show you your own values"),
        "bank.pay": words.text("pay out credits and collect what is owed"),
    }
    if code.startswith("research."):
        return words.text("take part in the research project %(name)s", name=code.removeprefix("research."))
    return known.get(code, code)


@dataclass(frozen=True, slots=True)
class ConsentLine:
    """One purpose: whether it is on, what leaves the home for it, and its legal basis."""

    purpose: str
    is_on: bool
    leaves: str
    rests_on: str
    since: str


@dataclass(frozen=True, slots=True)
class ConsentPage:
    headline: str
    version: int | None
    lines: tuple[ConsentLine, ...]


async def read_consent(store: Store, home: Home) -> ConsentSet | None:
    """The consent in force as the home signed it; None if none has arrived or it cannot be read."""
    found = await store.consent_bytes(home.id)
    if found is None:
        return None
    try:
        return decode_consent(found[1])
    except WireError:
        return None


def consent_page(consent: ConsentSet | None, words: Localizer, *, now: Slot) -> ConsentPage:
    """Every purpose of the catalogue with the rule in force now, or switched off."""
    if consent is None:
        return ConsentPage(words.text("Your home has not sent its consent yet"), None, ())
    in_force = {rule.purpose: rule for rule in consent.rules if rule.covers(now, now)}
    codes = [*(code for code in CATALOGUE if code != "research"), *(c for c in in_force if c.startswith("research."))]
    lines = tuple(_line(code, in_force.get(code), words) for code in codes)
    chosen = sum(1 for code in in_force if (purpose := purpose_of(code)) and purpose.basis is Basis.CONSENT)
    headline = (
        words.plural("Beyond settlement you allow %(n)s purpose", "Beyond settlement you allow %(n)s purposes", chosen)
        if chosen
        else words.text("You share only what settlement needs")
    )
    return ConsentPage(headline, consent.version, lines)


def _line(code: str, rule: ConsentRule | None, words: Localizer) -> ConsentLine:
    purpose = purpose_of(code)
    bases = {
        Basis.CONTRACT: words.text("your membership contract"),
        Basis.INTEREST: words.text("the co-op's interest; you may object"),
        Basis.CONSENT: words.text("your consent"),
    }
    return ConsentLine(
        purpose=_sentence_case(purpose_words(code, words)),
        is_on=rule is not None,
        leaves=_leaves(rule, words),
        rests_on=bases[purpose.basis] if purpose else "",
        since=words.moment(rule.valid_from * 900) if rule is not None and rule.valid_from > 0 else "",
    )


def _sentence_case(text: str) -> str:
    return text[:1].upper() + text[1:]


def _leaves(rule: ConsentRule | None, words: Localizer) -> str:
    if rule is None:
        return words.text("nothing")
    if not rule.measures:
        return words.text("whether devices answer, no amounts")
    detail = {
        Resolution.PT15M: words.text("every quarter hour"),
        Resolution.PT1H: words.text("every hour"),
        Resolution.P1D: words.text("every day"),
        Resolution.NONE: words.text("nothing"),
    }[rule.resolution]
    names = {
        Measure.GRID_IMPORT: words.text("grid import"),
        Measure.GRID_EXPORT: words.text("grid export"),
        Measure.PV_PRODUCTION: words.text("solar production"),
        Measure.WIND_PRODUCTION: words.text("wind production"),
        Measure.BATTERY_CHARGE: words.text("battery charging"),
        Measure.BATTERY_DISCHARGE: words.text("battery discharging"),
        Measure.SUBMETER: words.text("sub-meters"),
    }
    measures = words.listed(names[measure] for measure in rule.measures)
    return words.text("%(measures)s – %(detail)s", measures=measures, detail=detail)


def consent_json(consent: ConsentSet | None) -> dict[str, object]:
    """The consent in force for programs."""
    if consent is None:
        return {"version": None, "rules": []}
    return {
        "version": consent.version,
        "rules": [
            {
                "purpose": rule.purpose,
                "measures": [measure.code for measure in rule.measures],
                "resolution": rule.resolution.value,
                "valid_from": rule.valid_from,
                "valid_until": rule.valid_until,
            }
            for rule in consent.rules
        ],
    }


def access_json(row: AccessRow) -> dict[str, object]:
    """One line of the access log for programs."""
    return {
        "at": row.at,
        "actor": row.actor,
        "role": row.role,
        "purpose": row.purpose,
        "reason": row.reason,
        "fields": row.fields,
        "rows": row.rows,
        "count": row.count,
    }
