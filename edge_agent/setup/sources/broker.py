"""Meters whose values another program tells the home's broker: which topic is which counter, asked one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edge_agent.finding.broker_listening import HeardValue
from edge_agent.finding.text import connect_text
from edge_agent.sections.broker_values import ENERGIES_OF_ROLE, ENERGY_UNITS, POWER, POWER_UNITS
from edge_agent.settings import ROLES, Endpoint
from edge_agent.setup.conversation import Conversation, SetupQuestion, is_yes
from edge_agent.setup.files import device_names
from edge_agent.setup.live import LiveRole
from edge_agent.setup.parts import SetupParts
from edge_agent.setup.progress import DeviceChoice, SetupProgress
from protocols.errors import CommonwattError
from protocols.maps.model import RoleName

FAMILY = "mqtt-meter"
MOST_SHOWN = 40
VALUE_WORDS = {
    "import": "what is drawn or used, in all",
    "export": "what is fed into the grid, in all",
    "production": "what is produced, in all",
    "charge": "what the battery took, in all",
    "discharge": "what the battery gave, in all",
    POWER: "the power now (+ is drawn, produced, charging or used)",
}


async def broker_meters(
    talk: Conversation, parts: SetupParts, progress: SetupProgress, *, endpoint: Endpoint
) -> list[tuple[DeviceChoice, LiveRole]]:
    """The meters of this broker that the person describes and whose values they have seen."""
    access = await _access(talk, endpoint) if parts.may_name_files else {}
    heard = await _heard(talk, parts, endpoint, access=access)
    chosen: list[tuple[DeviceChoice, LiveRole]] = []
    while True:
        made = await _meter(talk, parts, [*progress.devices, *(each for each, _ in chosen)],
                            where=connect_text(endpoint), access=access, heard=heard)  # fmt: skip
        if made is not None:
            chosen.append(made)
        if not await is_yes(talk, "Another meter at this broker?", default="n"):
            return chosen


async def _access(talk: Conversation, endpoint: Endpoint) -> dict[str, Any]:
    username = await talk.ask(SetupQuestion(f"Username at {endpoint.shown}?", empty="none"))
    if not username:
        return {}
    text = "File that holds its password (one line, chmod 600), such as broker.password?"
    password_file = await talk.ask(SetupQuestion(text, empty="none"))
    return {"username": username, **({"password_file": password_file} if password_file else {})}


async def _heard(
    talk: Conversation, parts: SetupParts, endpoint: Endpoint, *, access: dict[str, Any]
) -> Sequence[HeardValue]:
    if parts.hear_values is None:
        return ()
    await talk.say(f"Listening at {endpoint.shown} for 15 seconds ...")
    try:
        heard = await parts.hear_values(endpoint, access)
    except CommonwattError as trouble:
        await talk.say(f"  {trouble}")
        return ()
    for number, each in enumerate(heard[:MOST_SHOWN], 1):
        kept = " (kept from before: does it change?)" if each.is_kept else ""
        await talk.say(f"  {number} = {each.name}: {each.shown}{kept}")
    if len(heard) > MOST_SHOWN:
        await talk.say(f"  and {len(heard) - MOST_SHOWN} more: type the topic, and the field of its JSON behind it")
    if not heard:
        await talk.say("  no number was told: type the topics, and the fields of their JSON behind them")
    return heard


async def _meter(
    talk: Conversation,
    parts: SetupParts,
    taken: Sequence[DeviceChoice],
    *,
    where: str,
    access: dict[str, Any],
    heard: Sequence[HeardValue],
) -> tuple[DeviceChoice, LiveRole] | None:
    has_grid = any("grid" in each.roles for each in taken)
    roles = tuple(role for role in ROLES if not (role == "grid" and has_grid))
    role = await talk.ask(SetupQuestion("  What does this meter measure?", roles, "load" if has_grid else "grid"))
    name = device_names({"grid": "meter", "pv": "solar"}.get(role, role), [each.name for each in taken])
    while True:
        topics = await _topics(talk, role, heard)
        if topics is None:
            await talk.say("  left out")
            return None
        choice = DeviceChoice(name, FAMILY, role, where, 1, 10_000_000, kept={**access, "topics": topics})
        await talk.say("  waiting until they are told again ...")
        try:
            live, troubles = await parts.read([choice])
        except CommonwattError as trouble:
            live, troubles = [], [str(trouble)]
        for each in troubles:
            await talk.say(f"  {each}")
        if live and live[0].has_values:
            await talk.say(f"  {live[0].words}")
            labels = ("yes", "no", "I cannot see it")
            same = SetupQuestion("  Does the other program say the same?", ("y", "n", "u"), labels=labels)
            if await talk.ask(same) != "n":
                return choice, live[0]
            continue
        again = SetupQuestion("  No value came.", ("a", "s"), labels=("ask for the topics again", "leave it out"))
        if await talk.ask(again) == "s":
            return None


async def _topics(talk: Conversation, role: str, heard: Sequence[HeardValue]) -> dict[str, Any] | None:
    found: dict[str, Any] = {}
    for name in (*ENERGIES_OF_ROLE[_role(role)], POWER):
        place = await _place(talk, name, heard)
        if place is None and name != POWER:
            return None
        if place is not None:
            topic, field = place
            units = POWER_UNITS if name == POWER else ENERGY_UNITS
            unit = await talk.ask(SetupQuestion("  In which unit?", tuple(units), next(iter(units))))
            found[name] = {"topic": topic, **({"field": field} if field else {}), "unit": unit}
    return found


def _role(text: str) -> RoleName:
    return next(each for each in ROLES if each == text)


async def _place(talk: Conversation, name: str, heard: Sequence[HeardValue]) -> tuple[str, str] | None:
    """Topic and field of one value; None if the person knows none."""
    numbers = "its number above, or " if heard else ""
    text = f"  Where is {VALUE_WORDS[name]}? {numbers}its topic, with a field behind it?"
    while True:
        answer = await talk.ask(SetupQuestion(text, empty="none"))
        if not answer:
            return None
        if answer.isdecimal() and heard:
            if 1 <= int(answer) <= len(heard):
                chosen = heard[int(answer) - 1]
                return chosen.topic, chosen.place
            await talk.say(f"  please give a number from 1 to {len(heard)}, or a topic")
            continue
        topic, _, field = answer.partition(" ")
        if {"#", "+"} & set(topic):
            await talk.say("  please give one topic, without # and +")
            continue
        return topic, field.strip()
