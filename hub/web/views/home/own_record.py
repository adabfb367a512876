"""What a household's consent allows, and what each purpose means in words."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hub.storage.contract import Store
from hub.storage.records import Home
from hub.web.frame.translation import Localizer
from protocols.consent.purposes import CATALOGUE, Basis, Resolution, purpose_of
from protocols.consent.rules import ConsentRule, ConsentSet, decode_consent, default_consent
from protocols.quantities import Measure
from protocols.slots import Slot
from protocols.wire.refusal_reasons import WireError


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
        "retention": words.text("keep nothing longer than the co-op decided"),
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
    agent: str = ""


@dataclass(frozen=True, slots=True)
class HomeConsent:
    """The consent in force; `is_own` says that the home signed it. Until it does, the default of membership holds."""

    terms: ConsentSet
    is_own: bool


@dataclass(frozen=True, slots=True)
class AgentTerms:
    """The consent in force at one agent, None if the stored one cannot be read: then nothing of it is taken in."""

    agent: str
    terms: HomeConsent | None


async def read_consents(store: Store, home: Home) -> tuple[AgentTerms, ...]:
    """The consent in force at each working agent of the home; at least one, also for a home without an agent."""
    live = [each for each in await store.agents(home=home.id) if each.revoked_at is None]
    seats = sorted((each.seat, each.id) for each in live) or [(1, "")]
    return tuple([AgentTerms(agent, await _terms(store, home, seat=seat)) for seat, agent in seats])


async def _terms(store: Store, home: Home, *, seat: int) -> HomeConsent | None:
    found = await store.consent_bytes(home.id, seat=seat)
    if found is None:
        return HomeConsent(default_consent(home.id), is_own=False)
    try:
        return HomeConsent(decode_consent(found[1]), is_own=True)
    except WireError:
        return None


def consent_pages(held: Sequence[AgentTerms], words: Localizer, *, now: Slot) -> tuple[ConsentPage, ...]:
    """A page about each agent's consent, which goes for what that agent measures."""
    several = len(held) > 1
    pages = [consent_page(each.terms, words, now=now) for each in held]
    return tuple(replace(page, agent=each.agent if several else "") for page, each in zip(pages, held, strict=True))


def consent_page(found: HomeConsent | None, words: Localizer, *, now: Slot) -> ConsentPage:
    """Every purpose of the catalogue with the rule in force now, or switched off."""
    if found is None:
        return ConsentPage(words.text("Your home's consent cannot be read"), None, ())
    consent = found.terms
    in_force = {rule.purpose: rule for rule in consent.rules if rule.covers(now, now)}
    codes = [*(code for code in CATALOGUE if code != "research"), *(c for c in in_force if c.startswith("research."))]
    lines = tuple(_line(code, in_force.get(code), words) for code in codes)
    chosen = sum(1 for code in in_force if (purpose := purpose_of(code)) and purpose.basis is Basis.CONSENT)
    headline = (
        words.plural("Beyond settlement you allow %(n)s purpose", "Beyond settlement you allow %(n)s purposes", chosen)
        if chosen
        else words.text("You share only what settlement needs")
    )
    return ConsentPage(headline, consent.version if found.is_own else None, lines)


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
    measures = words.listed(measure_words(measure, words) for measure in rule.measures)
    return words.text("%(measures)s – %(detail)s", measures=measures, detail=detail)


def measure_words(measure: Measure, words: Localizer) -> str:
    """What a measure is called inside a sentence."""
    return {
        Measure.GRID_IMPORT: words.text("grid import"),
        Measure.GRID_EXPORT: words.text("grid export"),
        Measure.PV_PRODUCTION: words.text("solar production"),
        Measure.WIND_PRODUCTION: words.text("wind production"),
        Measure.BATTERY_CHARGE: words.text("battery charging"),
        Measure.BATTERY_DISCHARGE: words.text("battery discharging"),
        Measure.SUBMETER: words.text("sub-meters"),
    }[measure]


def consents_json(held: Sequence[AgentTerms]) -> dict[str, object]:
    """The consents for programs: the first agent's, and with several agents each of them under `agents`."""
    told = consent_json(held[0].terms)
    if len(held) > 1:
        told |= {"agents": [{"agent": each.agent, **consent_json(each.terms)} for each in held]}
    return told


def consent_json(found: HomeConsent | None) -> dict[str, object]:
    """The consent in force for programs; `version` is null unless the home signed it."""
    if found is None:
        return {"version": None, "rules": []}
    consent = found.terms
    return {
        "version": consent.version if found.is_own else None,
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
