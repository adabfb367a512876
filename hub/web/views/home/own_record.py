"""What a household may know about its own data: who looked at it, and what its consent lets out. No values."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from hub.storage.contract import Store
from hub.storage.records import AccessRow, Home, Member
from hub.web.frame.translation import Localizer
from protocols.consent.reduction import (
    CATALOGUE,
    Basis,
    ConsentRule,
    ConsentSet,
    Resolution,
    decode_consent,
    purpose_of,
)
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
    """The access log by local day, the newest first."""
    names = {member.id: member.name for member in members}
    days = []
    for day, group in groupby(rows, key=lambda row: words.local(row.at).date()):
        looks = (_look(row, names, words, self_id=self_id) for row in group)
        # One page may read several tables: looks that read the same in the same minute are one line.
        days.append(AccessDay(words.day(day), tuple(look for look, _ in groupby(looks))))
    return tuple(days)


def _look(row: AccessRow, names: dict[str, str], words: Localizer, *, self_id: str) -> AccessEntry:
    purpose = purpose_words(row.purpose, words)
    if row.role == "self":
        who = words.say("You") if row.actor == self_id else names.get(row.actor, row.actor)
        what = _own_look(row, words)
    elif row.role == "board":
        is_person = not row.actor.startswith("job:")
        who = (
            words.say("%(name)s (board)", name=names.get(row.actor, row.actor)) if is_person else _job(row.actor, words)
        )
        what = {
            ACCOUNT_FIELDS: words.say("looked at your bank account to %(purpose)s", purpose=purpose),
            PAYMENT_FIELDS: words.say("looked at your payments to %(purpose)s", purpose=purpose),
            OBJECTION_FIELDS: words.say("looked at your objections to %(purpose)s", purpose=purpose),
        }.get(row.fields, words.say("looked at your readings to %(purpose)s", purpose=purpose))
        if row.reason:
            what += ". " + words.say("Reason given: %(reason)s", reason=row.reason)
    else:
        who = _job(row.actor, words)
        what = words.say("read your home's values to %(purpose)s", purpose=purpose)
    if row.count > 1:
        what += ", " + words.count("%(n)s time that day", "%(n)s times that day", row.count)
    return AccessEntry(words.clock_at(row.at), who, what)


def _own_look(row: AccessRow, words: Localizer) -> str:
    if row.reason == STATEMENT_LOOK:
        return words.say("opened your statement")
    return {
        ACCOUNT_FIELDS: words.say("opened your bank account's page"),
        OBJECTION_FIELDS: words.say("opened your objections"),
        FINDING_FIELDS: words.say("opened what was found in your readings"),
        TRIAL_FIELDS: words.say("tried another rule on your settled days"),
        FAIRNESS_FIELDS: words.say("opened the fairness report"),
    }.get(row.fields, words.say("opened your home's page"))


def _job(actor: str, words: Localizer) -> str:
    name = actor.removeprefix("job:")
    known = {
        "today-page": words.say("The hub (Today page)"),
        "forecast": words.say("The hub (forecast)"),
        "prompts": words.say("The hub (prompts)"),
        "prompt": words.say("The hub (prompts)"),
        "settlement": words.say("The hub (settlement)"),
        "settle": words.say("The hub (settlement)"),
        "settlement-preview": words.say("The hub (preview of a run)"),
        "statement": words.say("The hub (statements)"),
        "what-if": words.say("The hub (a rule tried)"),
        "fairness": words.say("The hub (fairness report)"),
        "verify": words.say("The hub (verification)"),
    }
    return known.get(name, words.say("The hub (%(job)s)", job=name))


def purpose_words(code: str, words: Localizer) -> str:
    """What a purpose of the catalogue is for, to be read after 'to'."""
    known = {
        "settle.share": words.say("share surplus energy and settle it"),
        "device.health": words.say("see whether devices answer, without any power"),
        "forecast.hood": words.say("forecast the neighbourhood's sums"),
        "forecast.home": words.say("forecast this home"),
        "prompt.shift": words.say("propose better hours for appliances"),
        "peers.view": words.say("show this home to the other members"),
        "research": words.say("take part in a research project"),
        "grid.flex": words.say("report flexibility to the grid operator"),
        "own.view": words.say("show you your own values"),
        "bank.pay": words.say("pay out credits and collect what is owed"),
    }
    if code.startswith("research."):
        return words.say("take part in the research project %(name)s", name=code.removeprefix("research."))
    return known.get(code, code)


@dataclass(frozen=True, slots=True)
class ConsentLine:
    """One purpose: whether it is on, what leaves the home for it, and on what it rests."""

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
    """The consent in force as the home signed it; None when none has arrived or it cannot be read."""
    found = await store.consent_bytes(home.id)
    if found is None:
        return None
    try:
        return decode_consent(found[1])
    except WireError:
        return None


def consent_page(consent: ConsentSet | None, words: Localizer, *, now: Slot) -> ConsentPage:
    """Every purpose of the catalogue with the rule that is in force now, or off."""
    if consent is None:
        return ConsentPage(words.say("Your home has not sent its consent yet"), None, ())
    in_force = {rule.purpose: rule for rule in consent.rules if rule.covers(now, now)}
    codes = [*(code for code in CATALOGUE if code != "research"), *(c for c in in_force if c.startswith("research."))]
    lines = tuple(_line(code, in_force.get(code), words) for code in codes)
    chosen = sum(1 for code in in_force if (purpose := purpose_of(code)) and purpose.basis is Basis.CONSENT)
    headline = (
        words.count("Beyond settlement you allow %(n)s purpose", "Beyond settlement you allow %(n)s purposes", chosen)
        if chosen
        else words.say("You share only what settlement needs")
    )
    return ConsentPage(headline, consent.version, lines)


def _line(code: str, rule: ConsentRule | None, words: Localizer) -> ConsentLine:
    purpose = purpose_of(code)
    bases = {
        Basis.CONTRACT: words.say("your membership contract"),
        Basis.INTEREST: words.say("the co-op's interest; you may object"),
        Basis.CONSENT: words.say("your consent"),
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
        return words.say("nothing")
    if not rule.measures:
        return words.say("whether devices answer, no amounts")
    detail = {
        Resolution.PT15M: words.say("by the quarter hour"),
        Resolution.PT1H: words.say("by the hour"),
        Resolution.P1D: words.say("by the day"),
        Resolution.NONE: words.say("nothing"),
    }[rule.resolution]
    names = {
        Measure.GRID_IMPORT: words.say("grid import"),
        Measure.GRID_EXPORT: words.say("grid export"),
        Measure.PV_PRODUCTION: words.say("sun"),
        Measure.WIND_PRODUCTION: words.say("wind"),
        Measure.BATTERY_CHARGE: words.say("battery in"),
        Measure.BATTERY_DISCHARGE: words.say("battery out"),
        Measure.SUBMETER: words.say("sub-meters"),
    }
    return ", ".join(names[measure] for measure in rule.measures) + " – " + detail


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
