"""The comparison with the legal meter over at least a kilowatt-hour, and the factor it proposes.

The first reading is kept between two runs: a kilowatt-hour may take hours.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from edge_agent.finding.writing import write_beside
from edge_agent.sections.factor import LEAST_FACTOR, MOST_FACTOR, PLACES
from edge_agent.setup.conversation import Conversation, SetupQuestion, is_yes
from edge_agent.setup.files import agent_toml, devices_of, meter_of
from edge_agent.setup.meter_check import CountedPhases, FactorVerdict, factor_verdict
from edge_agent.setup.parts import SetupParts
from edge_agent.setup.progress import DeviceChoice, MeterChoice, MeterReading, SetupProgress
from protocols.errors import RequestError
from protocols.toml_text import TomlTextError, read_toml


async def take_reading(talk: Conversation, parts: SetupParts, progress: SetupProgress) -> MeterReading | None:
    """The display of the legal meter and our counters at the same moment; None where nobody stands before it now.

    Raises: RequestError.
    """
    grid = _grid(progress)
    imported = await _kwh(talk, "Legal meter now: kWh drawn from the grid?", empty="not now")
    if imported is None:
        return None
    exported = await _kwh(talk, "Legal meter now: kWh fed in?", empty="it shows none")
    found, troubles = await parts.read([grid])
    live = [each for each in found if each.role == "grid"]
    if not live or "import_wh" not in live[0].counters_wh:
        reason = troubles[0] if troubles else "it gives no import counter"
        raise RequestError(f"{grid.name} cannot be compared: {reason}")
    counters = live[0].counters_wh
    return MeterReading(int(parts.now()), imported, exported, counters["import_wh"], counters.get("export_wh"))


async def check_meter(talk: Conversation, parts: SetupParts, progress: SetupProgress) -> bool:
    """The second reading against the first; whether they agree or it is too early. Raises: RequestError."""
    now = await take_reading(talk, parts, progress)
    if now is None:
        await talk.say("Nothing is compared.")
        return True
    if progress.reading is None:
        progress.reading = now
        await talk.say("That is the first reading. Come back after at least 1 kWh.")
        return True
    verdict = factor_verdict(progress.reading, now)
    await talk.say(verdict.text)
    if verdict.legal_phases is not None:
        return await _other_phases(talk, parts, progress, phases=verdict.legal_phases)
    if verdict.times is not None:
        return await _corrected(talk, parts, progress, verdict=verdict, times=verdict.times)
    return verdict.is_good is not False


async def _other_phases(
    talk: Conversation, parts: SetupParts, progress: SetupProgress, *, phases: CountedPhases
) -> bool:
    """Whether it is said so already, or is with the person's yes. Raises: RequestError."""
    usual = parts.usual_meter(progress.meter.country) if progress.meter.country else None
    if (progress.meter.phases or (usual[0] if usual else None)) == phases:
        await talk.say(
            "Your answers say so too, and the agent goes by them: what it sends is what the legal meter counts."
        )
        return True
    if not await is_yes(talk, f'Say phases = "{phases}" of your legal meter from now on?'):
        return False
    progress.meter = replace(progress.meter, phases=phases)
    if parts.config.exists():
        _write(parts, meter=progress.meter)
        await talk.say(f'{parts.config} says phases = "{phases}". Restart the agent: {parts.restart_hint}')
    return True


async def _corrected(
    talk: Conversation, parts: SetupParts, progress: SetupProgress, *, verdict: FactorVerdict, times: Decimal
) -> bool:
    """Offer the factor, and write it with the person's yes; then the comparison begins again."""
    grid = _grid(progress)
    factor = round(Decimal(str(grid.factor or 1)) * times, PLACES)
    if not LEAST_FACTOR <= factor <= MOST_FACTOR:
        await talk.say(f"A factor of {factor.normalize():f} is too much to be right: look at its settings and its map.")
        return False
    shown = f"{factor.normalize():f}"
    await talk.say(
        "If the ratio of its current transformers can be set in the device itself, set it there, and say n here."
    )
    if verdict.may_lack_phases:
        await talk.say("Say y only if you have seen that every phase is measured.")
    if factor != 1:
        await talk.say("With a factor, a board member of the co-op has to accept this meter before its readings count.")
    if not await is_yes(talk, f"Multiply all that {grid.name} shows by {shown} from now on?"):
        return False
    if factor == 1:
        changed = replace(grid, factor=None)
    else:
        changed = replace(grid, factor=float(factor) if factor % 1 else int(factor))
    _write(parts, changed=changed)
    progress.devices[:] = [changed if each.name == grid.name else each for each in progress.devices]
    progress.reading = None
    await talk.say(f"{parts.config} says factor = {shown} for {grid.name}. Restart the agent: {parts.restart_hint}")
    await talk.say(f"Then `{parts.setup_hint} --check-meter` compares again, from a new first reading.")
    return True


def _grid(progress: SetupProgress) -> DeviceChoice:
    grid = next((each for each in progress.devices if "grid" in each.roles), None)
    if grid is None:
        raise RequestError("no device measures the grid: nothing to compare with")
    return grid


def _write(parts: SetupParts, *, changed: DeviceChoice | None = None, meter: MeterChoice | None = None) -> None:
    """Only this device's factor changes, or what is said of the legal meter's phases. Raises: RequestError."""
    try:
        before = read_toml(parts.config.read_bytes())
    except TomlTextError as cause:
        raise RequestError(f"{parts.config} is not valid TOML: {cause}: run `{parts.setup_hint}`") from None
    except OSError as cause:
        raise RequestError(f"{parts.config}: cannot be read: {cause.strerror or cause}") from None
    devices = devices_of(before)
    if changed is not None:
        devices = [changed if each.name == changed.name else each for each in devices]
    said = MeterChoice() if meter is None else replace(meter_of(before), phases=meter.phases)
    write_beside(parts.config, agent_toml(devices, said, before).encode())


async def _kwh(talk: Conversation, text: str, *, empty: str) -> int | None:
    while True:
        answer = (await talk.ask(SetupQuestion(text, empty=empty))).replace(",", ".")
        if not answer:
            return None
        try:
            wh = round(float(answer) * 1000)
        except (ValueError, OverflowError):
            wh = -1
        if 0 <= wh <= 10**12:
            return wh
        await talk.say("  please give the kilowatt-hours as the display shows them, such as 10234.5")
