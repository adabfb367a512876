"""The later steps of set-up: the legal meter, agent.toml, the co-op's invitation, and consent purpose by purpose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edge_agent.consent.wording import RESOLUTION_WORDS, measures_words
from edge_agent.finding.writing import write_beside
from edge_agent.metering.home_meter import FIELDS_OF_ROLE
from edge_agent.settings import ROLES
from edge_agent.setup.conversation import Conversation, SetupQuestion, is_yes, say_all
from edge_agent.setup.factor_check import take_reading
from edge_agent.setup.files import agent_toml, difference_lines
from edge_agent.setup.parts import SetupParts
from edge_agent.setup.progress import DeviceChoice, MeterChoice, SetupProgress
from protocols.consent.changes import allow_purpose
from protocols.consent.purposes import CATALOGUE, Basis, Purpose
from protocols.consent.rules import ConsentSet
from protocols.errors import CommonwattError, RequestError
from protocols.quantities import Measure
from protocols.slots import parse_slot, slot_of
from protocols.toml_text import TomlTextError, read_toml

RELEASE_SLOT = parse_slot("2026-11-28T00:00Z")
MAX_INVITATION_BYTES = 4096
PHASE_ANSWERS = {"n": "netted", "s": "separate", "u": "unknown"}
PURPOSE_WORDS = {
    "forecast.hood": (
        "forecast how much sun and wind the whole neighbourhood will have",
        "the co-op's hub; others see sums of homes",
    ),
    "forecast.home": ("forecast your home's own sun and use, for you to see", "the co-op's hub; others see nothing"),
    "prompt.shift": (
        "propose better hours for washing, charging and hot water, and see whether it helped",
        "the co-op's hub; others see nothing",
    ),
    "peers.view": ("show your home's values to the other members", "the co-op's hub and its members"),
    "grid.flex": ("report to the grid operator what your home could shift", "the co-op's hub and the grid operator"),
}
"""What each purpose is for, and who gets to see its values."""

HOW_LONG = (
    "Each yes holds from the next quarter hour until you take it back: `commonwatt-agent consent withdraw PURPOSE`, or"
    " the home's own page. What the hub already has stays there as long as the co-op keeps readings (its privacy"
    " notice says how long)."
)


async def describe_meter(talk: Conversation, parts: SetupParts, progress: SetupProgress) -> None:
    """How the legal meter counts, and its first reading for the factor check."""
    if not any("grid" in each.roles for each in progress.devices):
        await talk.say("No device measures the grid, so the legal meter is not compared with anything.")
        return
    before = progress.meter
    country = await _country(talk, before.country)
    usual = parts.usual_meter(country) if country and country != before.country else None
    phases = await _phases(talk, usual[0] if usual else before.phases)
    netting = await talk.ask(
        SetupQuestion(
            "Are import and export set off against each other within some time before you are charged?",
            ("none", "15min", "60min"),
            usual[1] if usual else before.netting or "none",
            ("no, or I do not know", "yes, within the quarter hour", "yes, within the hour"),
        )
    )
    progress.meter = MeterChoice(country or None, phases, netting)
    if not any("grid" in each.roles for each in progress.devices):
        return
    if await is_yes(talk, "Compare with the legal meter's display, now and again after 1 kWh?", default="n"):
        progress.reading = await take_reading(talk, parts, progress)
        if progress.reading is None:
            await talk.say(f"When you stand before it: `{parts.setup_hint} --check-meter` takes the first reading.")
        else:
            await talk.say(f"After at least 1 kWh: `{parts.setup_hint} --check-meter` takes the second reading.")


async def _country(talk: Conversation, before: str | None) -> str:
    """Two capital letters; empty if the person does not say."""
    text = "Country of your home, two letters such as DE?" + (" - if you do not say" if before else "")
    while True:
        question = SetupQuestion(text, default=before, empty="" if before else "not said")
        country = (await talk.ask(question)).upper().removeprefix("-")
        if not country or (len(country) == 2 and country.isascii() and country.isalpha()):
            return country
        await talk.say("  please give the two letters of its code, such as DE, ES or NL")


async def _phases(talk: Conversation, usual: str | None) -> str:
    default = next((key for key, value in PHASE_ANSWERS.items() if value == usual), "u")
    text = "If one phase feeds in while another draws, does your legal meter net them or count both?"
    labels = ("it nets them", "it counts both", "I do not know")
    return PHASE_ANSWERS[await talk.ask(SetupQuestion(text, tuple(PHASE_ANSWERS), default, labels))]


async def write_configuration(talk: Conversation, parts: SetupParts, progress: SetupProgress) -> None:
    """Write agent.toml; over a file that is there only after its difference was shown. Raises: RequestError."""
    path = parts.config
    before = _text(path)
    try:
        kept = read_toml(before) if before else {}
    except TomlTextError as cause:
        await talk.say(f"{path} is not valid TOML ({cause}); all of it would be replaced.")
        kept = {}
    kept = await _with_page(talk, parts, kept)
    text = agent_toml(progress.devices, progress.meter, kept)
    if before:
        lines = difference_lines(before, text)
        if not lines:
            await talk.say(f"{path} says all of this already.")
            return
        await say_all(talk, ["This would change:", "\n".join(lines)])
        if any(line.startswith("-") and "#" in line for line in lines[2:]):
            await talk.say("Your own comments (#) in the file are not kept; every key of every device is.")
        if not await is_yes(talk, f"Write {path}?"):
            raise RequestError(f"{path} stays as it is; `{parts.setup_hint}` goes on from here")
    write_beside(path, text.encode())
    await talk.say(f"{path} is written.")


async def _with_page(talk: Conversation, parts: SetupParts, kept: dict[str, Any]) -> dict[str, Any]:
    """Where the home's page is to be seen; what the file says already stays."""
    page = kept.get("page", {})
    if not isinstance(page, dict) or "listen" in page:
        return kept
    labels = ("this computer only", "your home network too, with a one-time PIN", "nowhere")
    usual = "n" if parts.is_page_wide else "t"
    answer = await talk.ask(SetupQuestion("Where may the home's own page be opened?", ("t", "n", "o"), usual, labels))
    if answer == "n":
        await talk.say("`commonwatt-agent page` gives the PIN for a browser of your home network.")
    listen = {"t": parts.page_here, "n": parts.page_wide, "o": "off"}[answer]
    return {**kept, "page": {**page, "listen": listen}}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8") if path.exists() else ""
    except (OSError, UnicodeDecodeError) as cause:
        raise RequestError(f"{path}: cannot be read: {cause}: move it away, then go on") from None


async def pair_home(talk: Conversation, parts: SetupParts) -> None:
    """Enrol with the co-op's invitation, or go on if the home is enrolled. Raises: RequestError to stop here."""
    home = parts.paired()
    text = "Paste your co-op's invitation (it begins with commonwatt:)"
    if parts.may_name_files:
        text += ", or name a file that holds it"
    while home is None:
        answer = await talk.ask(SetupQuestion(f"{text}:", empty="later", is_secret=True))
        if not answer:
            raise RequestError(f"not paired yet; `{parts.setup_hint}` goes on here when you have the invitation")
        try:
            home = await parts.pair(_invitation(answer) if parts.may_name_files else answer)
        except CommonwattError as trouble:
            await talk.say(f"  {trouble}")
    await talk.say(f"This is agent {home.agent} of home {home.home} in the co-op {home.coop}.")


def _invitation(answer: str) -> str:
    """What was pasted, or what the named file holds."""
    path = Path(answer)
    try:
        if answer.startswith(("/", "./", "~")) or (len(answer) < 200 and path.is_file()):
            return path.expanduser().read_bytes()[:MAX_INVITATION_BYTES].decode("ascii").removeprefix("\ufeff").strip()
    except (OSError, UnicodeDecodeError):
        raise RequestError(f"{answer[:80]}: cannot be read as an invitation") from None
    return answer


async def ask_consent(talk: Conversation, parts: SetupParts, progress: SetupProgress) -> None:
    """Every purpose that needs consent, in plain words; Enter is no. Raises: RequestError."""
    held = parts.consent()
    await talk.say(
        "What your grid meter counts leaves each quarter hour, because the membership contract needs it, and whether"
        " your devices answer. Nothing else leaves unless you say yes here."
    )
    await talk.say(HOW_LONG)
    measured = measured_by(progress.devices)
    wanted: dict[str, tuple[Measure, ...]] = {}
    for purpose in CATALOGUE.values():
        if purpose.basis is not Basis.CONSENT or purpose.code == "research":
            continue
        allowed = _allowed(held, purpose.code)
        values = tuple(each for each in purpose.measures if each in measured)
        is_new = allowed is None or not set(values) <= allowed
        if is_new and await _may(talk, purpose, values):
            wanted[purpose.code] = tuple(sorted({*values, *(allowed or ())}))
    if not wanted:
        await talk.say("Nothing more leaves your home. `commonwatt-agent consent allow PURPOSE` changes that.")
        return
    changed = held
    for code, measures in wanted.items():
        from_slot = max(slot_of(parts.now()), RELEASE_SLOT) + 1
        changed = allow_purpose(changed, code, from_slot=from_slot, measures=measures)
    parts.write_consent(replace(changed, version=held.version + 1))
    await talk.say(f"Allowed from the next quarter hour on: {', '.join(wanted)}.")


def _allowed(consent: ConsentSet, code: str) -> set[Measure] | None:
    """What the purpose may have; None where it was never asked for."""
    rules = [rule for rule in consent.rules if rule.purpose == code]
    return {measure for rule in rules for measure in rule.measures} if rules else None


def measured_by(devices: Sequence[DeviceChoice]) -> tuple[Measure, ...]:
    """What these devices measure."""
    roles = {role for each in devices for role in each.roles}
    return tuple(measure for role in ROLES if role in roles for measure in FIELDS_OF_ROLE[role].values())


async def _may(talk: Conversation, purpose: Purpose, values: tuple[Measure, ...]) -> bool:
    """Say which values, how fine and who sees them, then ask what they may be used for. A yes covers no other value."""
    what_for, who = PURPOSE_WORDS.get(purpose.code, (purpose.plain_words, "the co-op's hub"))
    later = f"nothing you measure now, and later any of {measures_words(purpose.measures)}"
    what = f"{measures_words(values)}: {RESOLUTION_WORDS[purpose.resolution]}" if values else later
    await talk.say(f"\n{purpose.code} gets {what}; seen by {who}.")
    return await is_yes(talk, f"May the co-op {what_for}? ({purpose.code})", default="n")
