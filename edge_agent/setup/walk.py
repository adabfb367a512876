"""Set-up from a blank folder to the first receipt, step by step; what is done is kept, so that it can be continued."""

from __future__ import annotations

from edge_agent.settings import read_settings
from edge_agent.setup.conversation import Conversation, is_yes
from edge_agent.setup.device_steps import choose_devices
from edge_agent.setup.factor_check import check_meter
from edge_agent.setup.files import devices_of, meter_of
from edge_agent.setup.household_steps import ask_consent, describe_meter, pair_home, write_configuration
from edge_agent.setup.parts import SetupParts
from edge_agent.setup.progress import STEP_TITLES, STEPS, SetupProgress, load_progress, save_progress
from edge_agent.status_text import span_words
from protocols.errors import RequestError, SettingsError
from protocols.toml_text import read_toml

LOOK_EVERY_S = 2.0


async def set_up(talk: Conversation, parts: SetupParts, *, waits: bool = True) -> None:
    """Walk through every step that is not done; without `waits` it ends before the first receipt.

    Raises: RequestError where the person stopped; the rest is kept.
    """
    folder = parts.config.parent
    progress = load_progress(folder)
    # Whoever may not write here hears it before the first question, not after the last.
    save_progress(folder, progress)
    if progress.next_step is None or not (progress.done or progress.devices):
        progress = await _begun(talk, parts, progress)
    elif progress.done:
        await talk.say("Setup goes on where it stopped.")
    await _second_reading(talk, parts, progress)
    while (step := progress.next_step) is not None:
        await talk.begin_step(STEPS.index(step) + 1, STEP_TITLES[step], of=len(STEPS))
        try:
            await _take(step, talk, parts, progress=progress, waits=waits)
        finally:
            # What was chosen so far is kept, also if the person stops in the middle.
            save_progress(folder, progress)
        if step == STEPS[-1] and not waits:
            return
        progress.done.append(step)
        save_progress(folder, progress)


async def _second_reading(talk: Conversation, parts: SetupParts, progress: SetupProgress) -> None:
    """A first reading of the legal meter waits: the second one may be taken now."""
    if progress.reading is None or not any("grid" in each.roles for each in progress.devices):
        return
    ago = span_words(max(0.0, parts.now() - progress.reading.at_s))
    text = f"A first reading of the legal meter was taken {ago} ago. Compare now, after at least 1 kWh?"
    if await is_yes(talk, text, default="n"):
        await check_meter(talk, parts, progress)
        save_progress(parts.config.parent, progress)


async def _begun(talk: Conversation, parts: SetupParts, progress: SetupProgress) -> SetupProgress:
    """A first step with the devices that agent.toml names, if it is there."""
    if progress.next_step is None:
        await talk.say("Setup is done already; it begins again with your devices. Nothing is changed without asking.")
    begun = await _written(talk, parts) or SetupProgress()
    begun.reading = progress.reading
    return begun


async def _written(talk: Conversation, parts: SetupParts) -> SetupProgress | None:
    """What agent.toml says; None if it is not there, names no device or cannot be used."""
    if not parts.config.exists():
        return None
    try:
        read_settings(parts.config)
        found = read_toml(parts.config.read_bytes())
    except SettingsError as complaint:
        if "device: missing" not in str(complaint):
            await talk.say(f"What is there cannot be used, so no device is taken from it: {complaint}")
        return None
    return SetupProgress(devices=devices_of(found), meter=meter_of(found))


async def check_meter_again(talk: Conversation, parts: SetupParts) -> bool:
    """Only the comparison with the legal meter; False if something is wrong. Raises: RequestError."""
    folder = parts.config.parent
    progress = load_progress(folder)
    if (found := await _written(talk, parts)) is not None:
        progress.devices, progress.meter = found.devices, found.meter
    if not progress.devices:
        raise RequestError(f"setup has not chosen any device yet: run `{parts.setup_hint}` first")
    is_good = await check_meter(talk, parts, progress)
    save_progress(folder, progress)
    return is_good


async def _take(step: str, talk: Conversation, parts: SetupParts, *, progress: SetupProgress, waits: bool) -> None:
    if step == "devices":
        if parts.receipts().is_running:
            raise RequestError(f"the agent is running and holds its devices: stop it first ({parts.stop_hint}),"
                               " then run setup again")  # fmt: skip
        await choose_devices(talk, parts, progress)
    elif step == "meter":
        await describe_meter(talk, parts, progress)
    elif step == "files":
        await write_configuration(talk, parts, progress)
    elif step == "pairing":
        await pair_home(talk, parts)
    elif step == "consent":
        await ask_consent(talk, parts, progress)
    else:
        await _first_receipt(talk, parts, progress, waits=waits)


async def _first_receipt(talk: Conversation, parts: SetupParts, progress: SetupProgress, *, waits: bool) -> None:
    """The first reading, and, once the agent runs, the hub's receipt."""
    if not parts.receipts().is_running:
        live, troubles = await parts.read(progress.devices)
        for each in live:
            await talk.say(f"  {each.device}: {each.words}")
        for trouble in troubles:
            await talk.say(f"  {trouble}")
        if waits and parts.start is not None:
            await parts.start()
        elif waits:
            await talk.say(f"Now start the agent in another terminal: {parts.start_hint}")
    if not waits:
        return
    if parts.start is None:
        await talk.say("Waiting for the first receipt; Ctrl-C stops waiting, and changes nothing.")
    else:
        talk.show_work("The agent runs. Waiting for the hub's first receipt; this takes up to a minute ...")
    while (count := parts.receipts()).receipted == 0:
        await parts.pause(LOOK_EVERY_S)
    await talk.say(f"The hub has signed for {count.receipted} of {count.messages} messages: everything works.")
