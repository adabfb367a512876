"""The first step of set-up: where to search, what was found, which of it to read, and whether it shows the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from edge_agent.finding.proposals import FamilyProposal
from edge_agent.finding.search import FoundDevice, SearchEvent, SearchNote, SearchPlan
from edge_agent.finding.text import USUAL_POWER_W, connect_text
from edge_agent.finding.units import parse_units
from edge_agent.settings import Endpoint
from edge_agent.setup.conversation import Conversation, SetupQuestion, ValueRows, is_yes
from edge_agent.setup.files import device_names
from edge_agent.setup.live import LiveRole
from edge_agent.setup.meter_check import sign_verdict
from edge_agent.setup.parts import SetupParts
from edge_agent.setup.progress import DeviceChoice, SetupProgress
from edge_agent.setup.sources.broker import broker_meters
from edge_agent.setup.sources.places import ask_places
from edge_agent.setup.sources.telegrams import hear_meter
from edge_agent.status_text import span_words
from protocols.errors import CommonwattError

ROLE_WORDS = {
    "grid": "the meter where your home meets the grid",
    "pv": "solar panels",
    "wind": "wind turbine",
    "battery": "battery",
    "load": "an appliance",
}
ROLE_NAMES = {"grid": "meter", "pv": "solar", "wind": "wind", "battery": "battery", "load": "load"}
MOST_POWER_W = 500_000
SIGN_TRIES, SIGN_PAUSE_S = 5, 2.0
CLEARLY_BETTER_PERCENT = 15
WRONG_WAY_W = -50
_ROOM_ABOVE_PLATE = 1.1


async def choose_devices(talk: Conversation, parts: SetupParts, progress: SetupProgress) -> None:
    """Search where the person says, and take what they choose into the progress."""
    await talk.say("Setup reads your devices and changes nothing in them. It asks only where you say yes.")
    if progress.devices and await _keeps(talk, progress):
        return
    makes = await _makes(talk, parts)
    for each in (kept := await _earlier(talk, parts)):
        await _take(talk, parts, progress, found=each)
    is_enough = bool(kept and progress.devices) and not await _wants_more(talk, progress)
    while not is_enough:
        await _look(talk, parts, progress, makes=makes)
        if progress.devices:
            is_enough = not await _wants_more(talk, progress)
        else:
            await talk.say("No device is chosen yet. `commonwatt-agent doctor` and the device's own settings may help.")


async def _makes(talk: Conversation, parts: SetupParts) -> tuple[str, ...]:
    """What is printed on the devices; one that no map knows is told while it can be put right."""
    asked = "Makes written on your inverter, meter and battery, such as Huawei, Eastron?"
    while True:
        text = await talk.ask(SetupQuestion(asked, empty="none"))
        makes = tuple(each.strip() for each in text.split(",") if each.strip())
        unknown = parts.unknown_makes(makes)
        for line in unknown:
            await talk.say(f"  {line}")
        if not unknown or await is_yes(talk, "  Is it written so on the device?"):
            return makes


async def _wants_more(talk: Conversation, progress: SetupProgress) -> bool:
    return await is_yes(talk, _so_far(progress.devices) + " Search for more?", default="n")


async def _earlier(talk: Conversation, parts: SetupParts) -> Sequence[FoundDevice]:
    """What an earlier scan kept, if the person wants it."""
    kept = parts.kept_scan()
    if kept is None or not kept.found:
        return ()
    age = span_words(max(0.0, parts.now() - kept.at_s))
    where = ", ".join(f"{connect_text(each.endpoint)} unit {each.unit}" for each in kept.found)
    text = f"A scan found {where}, {age} ago. Take these without searching again?"
    return kept.found if await is_yes(talk, text, default="y") else ()


async def _look(talk: Conversation, parts: SetupParts, progress: SetupProgress, *, makes: tuple[str, ...]) -> None:
    """One round: places, what answers there, and which of it to read."""
    places = await ask_places(talk, parts)
    if places.networks or places.endpoints:
        plan = SearchPlan(tuple(places.networks), tuple(places.endpoints), None, makes, units_at=places.units_at)
        for each in await _found(talk, parts, plan):
            await _take(talk, parts, progress, found=each)
    for line in places.listening:
        if (heard := await hear_meter(talk, parts, line)) is not None:
            await _take(talk, parts, progress, found=heard)
    for broker in places.brokers:
        told = await broker_meters(talk, parts, progress, endpoint=broker)
        progress.devices += [await _limited(talk, each, live) for each, live in told]


async def _keeps(talk: Conversation, progress: SetupProgress) -> bool:
    """Whether what is chosen is all there is to be."""
    while progress.devices:
        labels = ("keep these", "search for more", "remove one", "forget them all")
        answer = await talk.ask(SetupQuestion(_so_far(progress.devices), ("k", "m", "r", "f"), "k", labels))
        if answer == "f":
            progress.devices.clear()
        if answer != "r":
            return answer == "k"
        names = tuple(each.name for each in progress.devices)
        name = await talk.ask(SetupQuestion("  Which one?", (*names, "none"), "none"))
        progress.devices[:] = [each for each in progress.devices if each.name != name]
    return False


async def _found(talk: Conversation, parts: SetupParts, plan: SearchPlan) -> list[FoundDevice]:
    """What answers; where nothing does, also at other unit ids, or as a meter that sends by itself."""
    notes: list[SearchNote] = []

    def tell(event: SearchEvent) -> None:
        if isinstance(event, SearchNote) and event.is_trouble:
            notes.append(event)
        elif isinstance(event, SearchNote):
            talk.show_work(event.text)
        else:
            talk.show_work(f"{connect_text(event.endpoint)} answers as unit {event.unit}: {event.says}")

    await talk.say("Searching; this takes up to a minute ...")
    found = [*await parts.find(plan, tell)]
    for each in notes:
        await talk.say(f"  {each.text}")
    silent = [each.silent for each in notes if each.silent is not None]
    for place in dict.fromkeys(silent):
        found += await _asked_again(talk, parts, plan, place)
    await talk.say(f"Found {len(found)} device{'' if len(found) == 1 else 's'}.")
    return found


async def _asked_again(talk: Conversation, parts: SetupParts, plan: SearchPlan, place: Endpoint) -> list[FoundDevice]:
    listen = "; l listens for a meter that sends by itself" if place.is_serial else ""
    text = f"Unit ids to ask at {place.shown}, such as 1-30 (they are set in the device){listen}?"
    while answer := await talk.ask(SetupQuestion(text, empty="leave it")):
        if place.is_serial and answer.casefold() == "l":
            heard = await hear_meter(talk, parts, place)
            return [] if heard is None else [heard]
        try:
            units = parse_units("".join(answer.split()))
        except ValueError as complaint:
            await talk.say(f"  {complaint}")
            continue
        await talk.say(f"  asking {len(units)} unit ids; each silent one takes some seconds ...")
        told: list[SearchNote] = []

        def tell(event: SearchEvent) -> None:
            if isinstance(event, SearchNote) and event.is_trouble:
                told.append(event)  # noqa: B023 - used only within this round

        found = await parts.find(SearchPlan(endpoints=(place,), units=units, makes=plan.makes), tell)
        if found:
            return found
        for each in told:
            await talk.say(f"  {each.text}")
    return []


async def _take(talk: Conversation, parts: SetupParts, progress: SetupProgress, *, found: FoundDevice) -> None:
    where = f"{connect_text(found.endpoint)} unit {found.unit}"
    await talk.say(f"\n{where}" + (f": {found.says}" if found.says else ""))
    if any((each.connect, each.unit) == (connect_text(found.endpoint), found.unit) for each in progress.devices):
        await talk.say("  already chosen")
        return
    family = await _family(talk, parts, found)
    while family is not None:
        choices = await _with_values(talk, parts, progress, found=found, family=family)
        if choices:
            progress.devices += [await _limited(talk, each, live) for each, live in choices]
            return
        others = [each for each in found.proposals if each.map != family.map]
        family = await _picked(talk, others) if others else None
    await talk.say("  left out")


async def _family(talk: Conversation, parts: SetupParts, found: FoundDevice) -> FamilyProposal | None:
    if found.proposals:
        return await _picked(talk, found.proposals)
    asked = SetupQuestion("  It answers, but is not recognised. Make written on it?", empty="left out")
    while make := await talk.ask(asked):
        if unknown := parts.unknown_makes((make,)):
            await talk.say(f"  {unknown[0]}")
            continue
        plan = SearchPlan(endpoints=(found.endpoint,), units=(found.unit,), makes=(make,))
        again = await parts.find(plan, lambda _event: None)
        proposals = again[0].proposals if again else ()
        if proposals:
            return await _picked(talk, proposals)
        await talk.say(f"  it does not answer as a device of {make[:40]} does")
    return None


async def _picked(talk: Conversation, proposals: Sequence[FamilyProposal]) -> FamilyProposal | None:
    """The family a person picks. Enter takes the first only where it is clearly the likeliest: a wrong one misleads."""
    shown = proposals[:9]
    labels = [f"{each.map}, {each.vendor} ({each.confidence_percent} %, {each.quality} map): {each.reason}"
              for each in shown]  # fmt: skip
    second = shown[1].confidence_percent if len(shown) > 1 else 0
    default = "1" if shown[0].confidence_percent - second >= CLEARLY_BETTER_PERCENT else None
    numbers = tuple(str(number) for number in range(1, len(shown) + 1))
    answer = await talk.ask(SetupQuestion("  Which is it?", (*numbers, "s"), default, (*labels, "leave it out")))
    return None if answer == "s" else shown[int(answer) - 1]


async def _with_values(
    talk: Conversation, parts: SetupParts, progress: SetupProgress, *, found: FoundDevice, family: FamilyProposal
) -> list[tuple[DeviceChoice, LiveRole]]:
    """The roles the person confirms beside their live values; none if the display says otherwise."""
    roles = await _roles(talk, progress, family)
    if not roles:
        await talk.say("  the meter at the grid is chosen already, and it measures nothing else")
        return []
    names = [each.name for each in progress.devices]
    choices: list[DeviceChoice] = []
    for role in roles:
        name = device_names(ROLE_NAMES[role], [*names, *(each.name for each in choices)])
        where = connect_text(found.endpoint)
        choices.append(DeviceChoice(name, family.map, role, where, found.unit, 10_000_000))
    while True:
        by_name, troubles = await _values(parts, choices)
        for trouble in troubles:
            await talk.say(f"  {trouble}")
        shown = _rows(choices, by_name)
        if not by_name:
            labels: tuple[str, ...] = ("read again", "another family")
            again = SetupQuestion("  Nothing to compare.", ("r", "o"), labels=labels, values=shown)
            if await talk.ask(again) == "o":
                return []
            continue

        async def now(choices: Sequence[DeviceChoice] = tuple(choices)) -> ValueRows:
            return _rows(choices, (await _values(parts, choices))[0])

        same = SetupQuestion("  Does your display or app say the same?", ("y", "n", "u"), None,
                             ("yes", "no", "I cannot see it"), values=shown, read_values=now)  # fmt: skip
        if await talk.ask(same) != "n":
            kept = [each for each in choices if each.name in by_name]
            return [(each, by_name[each.name]) for each in await _signs(talk, parts, kept, by_name)]
        labels = ("only the direction", "it has changed, read again", "other numbers")
        answer = await talk.ask(SetupQuestion("  What differs?", ("d", "r", "o"), labels=labels))
        if answer == "o":
            return []
        if answer == "d":
            is_only = len(by_name) == 1
            choices = [await _turned(talk, each, is_only=is_only) if each.name in by_name else each for each in choices]


async def _values(parts: SetupParts, choices: Sequence[DeviceChoice]) -> tuple[dict[str, LiveRole], list[str]]:
    """What the chosen roles show now, by name, and what went wrong."""
    try:
        live, troubles = await parts.read(choices)
    except CommonwattError as cause:
        return {}, [str(cause)]
    return {each.device: each for each in live if each.has_values}, troubles


def _rows(choices: Sequence[DeviceChoice], by_name: dict[str, LiveRole]) -> ValueRows:
    return [
        (ROLE_WORDS[each.role], by_name[each.name].words if each.name in by_name else "no values now")
        for each in choices
    ]


async def _turned(talk: Conversation, choice: DeviceChoice, *, is_only: bool) -> DeviceChoice:
    if is_only or await is_yes(talk, f"  Turn the direction of {ROLE_WORDS[choice.role]}?"):
        return replace(choice, invert=not choice.invert)
    return choice


async def _roles(talk: Conversation, progress: SetupProgress, family: FamilyProposal) -> list[str]:
    """What the device measures: one role of a meter, all of an inverter's that nobody else has."""
    has_grid = any("grid" in each.roles for each in progress.devices)
    usable = [each for each in family.roles if not (each == "grid" and has_grid)]
    if not usable:
        return []
    is_meter = family.roles[0] == "grid"
    if is_meter:
        proposed: str = "load" if has_grid and "load" in usable else usable[0]
    else:
        proposed = ",".join(each for each in usable if each != "load" and _fits(each, usable))
    if len(usable) == 1:
        return list(usable)
    labels = tuple(ROLE_WORDS[each] for each in usable)
    alike = [pair for pair in family.alike if set(pair) <= set(usable)]
    # Where every role is the same counters, there is one answer.
    is_several = len(alike) < len(usable) * (len(usable) - 1) // 2
    question = SetupQuestion("  What does it measure?", tuple(usable), proposed or None, labels, is_several=is_several)
    while True:
        chosen = (await talk.ask(question)).split(",")
        both = next((pair for pair in alike if set(pair) <= set(chosen)), None)
        if both is None:
            return chosen
        one, other = (ROLE_WORDS[each] for each in both)
        await talk.say(
            f"  {family.map} has one set of counters for {one} and {other}, so the same energy would count twice:"
            " choose one of them; each needs a device of its own"
        )


def _fits(role: str, usable: Sequence[str]) -> bool:
    """Behind one inverter there are panels or a turbine, seldom both."""
    return not (role == "wind" and "pv" in usable)


async def _signs(
    talk: Conversation, parts: SetupParts, choices: list[DeviceChoice], live: dict[str, LiveRole]
) -> list[DeviceChoice]:
    checked = []
    for choice in choices:
        power_w = live[choice.name].power_w
        if choice.role in ("pv", "wind") and power_w is not None and power_w < WRONG_WAY_W:
            text = f"  {ROLE_WORDS[choice.role]} take {-power_w} W instead of giving. Turn the direction?"
            checked.append(replace(choice, invert=True) if await is_yes(talk, text) else choice)
        elif choice.role == "grid" and power_w is not None:
            checked.append(await _kettle(talk, parts, choice, power_w))
        else:
            checked.append(choice)
    return checked


async def _kettle(talk: Conversation, parts: SetupParts, choice: DeviceChoice, before_w: int) -> DeviceChoice:
    """The sign check of the grid's meter: a large appliance makes it rise."""
    while True:
        ask = SetupQuestion(
            "  Sign check: switch a kettle or oven on now.", ("go", "s"), "go", ("it is on", "skip this")
        )
        if await talk.ask(ask) == "s":
            return choice
        after_w: int | None = before_w
        for _ in range(SIGN_TRIES):
            live, _troubles = await parts.read([choice])
            after_w = live[0].power_w if live else None
            if sign_verdict(before_w, after_w) != "unchanged":
                break
            await parts.pause(SIGN_PAUSE_S)
        verdict = sign_verdict(before_w, after_w)
        if verdict == "rises":
            await talk.say(f"  from {before_w} W to {after_w} W: it rises, as it should")
            return choice
        if verdict == "falls":
            await talk.say(f"  from {before_w} W to {after_w} W: it falls, so import and export are swapped")
            if await is_yes(talk, "  Turn the direction?", default="y"):
                return replace(choice, invert=not choice.invert)
            return choice
        await talk.say(f"  it stays near {before_w} W: does this meter see the kitchen? Is it on all phases?")
        before_w = before_w if after_w is None else after_w


async def _limited(talk: Conversation, choice: DeviceChoice, live: LiveRole) -> DeviceChoice:
    """With the most it can carry: more is an error of the device. The nameplate proposes it, where it can be read.

    Before the inverter its nameplate is no limit: panels charge a battery there beside what the inverter gives.
    """
    usual_w = USUAL_POWER_W[choice.role]
    source = "a usual value"
    if live.rated_w is not None and choice.role in ("pv", "wind", "battery"):
        plate_w = int(-(-live.rated_w * _ROOM_ABOVE_PLATE // 100) * 100)
        if plate_w > usual_w or not live.is_before_inverter:
            usual_w, source = plate_w, f"its nameplate says {live.rated_w} W"
    usual_w = max(usual_w, -(-abs(live.power_w or 0) * 11 // 1000) * 100)
    text = f"  Most that {ROLE_WORDS[choice.role]} can carry, in kW ({source})"
    while True:
        answer = (await talk.ask(SetupQuestion(text, default=f"{usual_w / 1000:g}"))).replace(",", ".")
        try:
            watts = round(float(answer) * 1000)
        except (ValueError, OverflowError):
            watts = 0
        if 10 <= watts <= MOST_POWER_W:
            return replace(choice, max_power_w=watts)
        most = f", at most {MOST_POWER_W // 1000}: is this a number of watts?" if watts > MOST_POWER_W else ""
        await talk.say(f"  please give a number of kilowatts, such as 8.5{most}")


def _so_far(devices: Sequence[DeviceChoice]) -> str:
    return "Chosen: " + ", ".join(f"{each.name} ({each.map}, {' and '.join(each.roles)})" for each in devices) + "."
