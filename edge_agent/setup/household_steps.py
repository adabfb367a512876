"""The later steps of set-up: the legal meter, agent.toml, the co-op's invitation, and consent purpose by purpose."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edge_agent.setup.conversation import Conversation, SetupQuestion, is_yes, say_all
from edge_agent.setup.files import agent_toml, difference_lines
from edge_agent.setup.meter_check import factor_verdict
from edge_agent.setup.parts import SetupParts
from edge_agent.setup.progress import MeterChoice, MeterReading, SetupProgress
from protocols.consent.changes import allow_purpose
from protocols.consent.purposes import CATALOGUE, Basis, Purpose
from protocols.consent.rules import ConsentSet
from protocols.durable_files import write_durably
from protocols.errors import CommonwattError, RequestError
from protocols.slots import parse_slot, slot_of
from protocols.toml_text import TomlTextError, read_toml

RELEASE_SLOT = parse_slot("2026-11-28T00:00Z")
MAX_INVITATION_BYTES = 4096
PHASE_ANSWERS = {"n": "netted", "s": "separate", "u": "unknown"}
PURPOSE_WORDS = {
    "forecast.hood": "forecast how much sun and wind the whole neighbourhood will have; nobody is shown alone",
    "forecast.home": "forecast your home's own sun and use, for you to see",
    "prompt.shift": "propose better hours for washing, charging and hot water, and see whether it helped",
    "peers.view": "show your home's values to the other members, one value an hour",
    "grid.flex": "report to the grid operator what your home could shift",
}


async def describe_meter(talk: Conversation, parts: SetupParts, progress: SetupProgress) -> None:
    """How the legal meter counts, and its first reading for the factor check."""
    if not any(each.role == "grid" for each in progress.devices):
        await talk.say("No device measures the grid, so the legal meter is not compared with anything.")
        return
    country = await _country(talk)
    usual = parts.usual_meter(country) if country else None
    phases = await _phases(talk, usual[0] if usual else None)
    netting = await talk.ask(
        SetupQuestion(
            "Are import and export set off against each other within some time before you are charged?",
            ("none", "15min", "60min"),
            usual[1] if usual else "none",
            ("no, or I do not know", "yes, within the quarter hour", "yes, within the hour"),
        )
    )
    progress.meter = MeterChoice(country or None, phases, netting)
    if await is_yes(talk, "Compare with the legal meter's display, now and again after 1 kWh?", default="n"):
        progress.reading = await take_reading(talk, parts, progress)
        await talk.say("After at least 1 kWh: `commonwatt-agent setup --check-meter` takes the second reading.")


async def _country(talk: Conversation) -> str:
    """Two capital letters; empty if the person does not say."""
    while True:
        question = SetupQuestion("Country of your home, two letters such as DE?", empty="not said")
        country = (await talk.ask(question)).upper()
        if not country or (len(country) == 2 and country.isascii() and country.isalpha()):
            return country
        await talk.say("  please give the two letters of its code, such as DE, ES or NL")


async def _phases(talk: Conversation, usual: str | None) -> str:
    default = next((key for key, value in PHASE_ANSWERS.items() if value == usual), "u")
    text = "If one phase feeds in while another draws, does your legal meter net them or count both?"
    labels = ("it nets them", "it counts both", "I do not know")
    return PHASE_ANSWERS[await talk.ask(SetupQuestion(text, tuple(PHASE_ANSWERS), default, labels))]


async def take_reading(talk: Conversation, parts: SetupParts, progress: SetupProgress) -> MeterReading:
    """The display of the legal meter and our counters at the same moment. Raises: RequestError."""
    grid = next((each for each in progress.devices if each.role == "grid"), None)
    if grid is None:
        raise RequestError("no device measures the grid: nothing to compare with")
    imported = await _kwh(talk, "Legal meter now: kWh drawn from the grid?")
    exported = await _kwh(talk, "Legal meter now: kWh fed in?", may_lack=True)
    live, troubles = await parts.read([grid])
    if not live or "import_wh" not in live[0].counters_wh:
        reason = troubles[0] if troubles else "it gives no import counter"
        raise RequestError(f"{grid.name} cannot be compared: {reason}")
    counters = live[0].counters_wh
    return MeterReading(int(parts.now()), imported or 0, exported, counters["import_wh"], counters.get("export_wh"))


async def check_meter(talk: Conversation, parts: SetupParts, progress: SetupProgress) -> bool:
    """The second reading against the first; whether they agree or it is too early. Raises: RequestError."""
    if progress.reading is None:
        progress.reading = await take_reading(talk, parts, progress)
        await talk.say("That is the first reading. Come back after at least 1 kWh.")
        return True
    verdict = factor_verdict(progress.reading, await take_reading(talk, parts, progress))
    await talk.say(verdict.text)
    return verdict.is_good is not False


async def _kwh(talk: Conversation, text: str, *, may_lack: bool = False) -> int | None:
    while True:
        answer = (await talk.ask(SetupQuestion(text, empty="it shows none" if may_lack else ""))).replace(",", ".")
        if may_lack and not answer:
            return None
        try:
            wh = round(float(answer) * 1000)
        except (ValueError, OverflowError):
            wh = -1
        if 0 <= wh <= 10**12:
            return wh
        await talk.say("  please give the kilowatt-hours as the display shows them, such as 10234.5")


async def write_configuration(talk: Conversation, parts: SetupParts, progress: SetupProgress) -> None:
    """Write agent.toml; over a file that is there only after its difference was shown. Raises: RequestError."""
    path = parts.config
    before = _text(path)
    try:
        kept = read_toml(before) if before else {}
    except TomlTextError as cause:
        await talk.say(f"{path} is not valid TOML ({cause}); all of it would be replaced.")
        kept = {}
    text = agent_toml(progress.devices, progress.meter, kept)
    if before:
        lines = difference_lines(before, text)
        if not lines:
            await talk.say(f"{path} says all of this already.")
            return
        await say_all(talk, ["This would change:", "\n".join(lines)])
        if not await is_yes(talk, f"Write {path}?"):
            raise RequestError(f"{path} stays as it is; `commonwatt-agent setup` goes on from here")
    try:
        write_durably(path, text.encode(), replace=True)
    except OSError as cause:
        raise RequestError(f"cannot write {path}: {cause.strerror or cause}: run this with sudo") from None
    await talk.say(f"{path} is written.")


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
            raise RequestError("not paired yet; `commonwatt-agent setup` goes on here when you have the invitation")
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


async def ask_consent(talk: Conversation, parts: SetupParts) -> None:
    """Every purpose that needs consent, in plain words; Enter is no. Raises: RequestError."""
    held = parts.consent()
    await talk.say(
        "What your grid meter counts leaves each quarter hour, because the membership contract needs it, and whether"
        " your devices answer. Nothing else leaves unless you say yes here. You can take back each yes at any time."
    )
    wanted = [
        purpose.code
        for purpose in CATALOGUE.values()
        if purpose.basis is Basis.CONSENT and purpose.code != "research" and not _is_allowed(held, purpose.code)
        if await is_yes(talk, _question(purpose), default="n")
    ]
    if not wanted:
        await talk.say("Nothing more leaves your home. `commonwatt-agent consent allow PURPOSE` changes that.")
        return
    changed = held
    for code in wanted:
        changed = allow_purpose(changed, code, from_slot=max(slot_of(parts.now()), RELEASE_SLOT) + 1)
    parts.write_consent(replace(changed, version=held.version + 1))
    await talk.say(f"Allowed from the next quarter hour on: {', '.join(wanted)}.")


def _is_allowed(consent: ConsentSet, code: str) -> bool:
    return any(rule.purpose == code for rule in consent.rules)


def _question(purpose: Purpose) -> str:
    return f"May the co-op {PURPOSE_WORDS.get(purpose.code, purpose.plain_words)}? ({purpose.code})"
