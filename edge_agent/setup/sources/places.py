"""Where to search: networks and ports after a yes each, and addresses a person types, also with unit ids."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Network

from edge_agent.finding.text import spoken_endpoint
from edge_agent.finding.units import parse_units
from edge_agent.settings import Endpoint
from edge_agent.setup.conversation import Conversation, SetupQuestion, is_yes
from edge_agent.setup.parts import SetupParts

UNIT_WORDS = ("unit", "units", "id", "ids")
_UNIT_IDS = re.compile(r"[0-9][0-9,-]*")
PORT_LABELS = ("yes", "no", "only listen, for a P1 cable or an optical head")
EXAMPLES = (
    "An address may be 192.168.1.20; /dev/ttyUSB0 unit 7 (or units 1-30); p1:///dev/ttyUSB0 for a P1 cable,"
    " sml:///dev/ttyUSB0 for an optical head, p1+tcp://192.168.1.21:23 for their network readers;"
    " mqtt://192.168.1.22 for values that another program tells the home's broker."
)


@dataclass(slots=True)
class Places:
    """What a person confirmed. `listening`: lines on which a meter may send by itself; `brokers`: of the home."""

    networks: list[IPv4Network] = field(default_factory=list)
    endpoints: list[Endpoint] = field(default_factory=list)
    units_at: dict[Endpoint, tuple[int, ...]] = field(default_factory=dict)
    listening: list[Endpoint] = field(default_factory=list)
    brokers: list[Endpoint] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to look at."""
        return not (self.networks or self.endpoints or self.listening or self.brokers)

    def add(self, endpoint: Endpoint, units: tuple[int, ...] | None = None) -> None:
        """Take one place, by the way it is talked to."""
        framing = endpoint.framing
        kind = self.brokers if framing == "mqtt" else self.listening if framing else self.endpoints
        if endpoint not in kind:
            kind.append(endpoint)
        if units:
            self.units_at[endpoint] = units


async def ask_places(talk: Conversation, parts: SetupParts) -> Places:
    """The places the person confirms, one by one; never none."""
    while True:
        places = Places()
        for network in parts.networks():
            if await is_yes(talk, f"Search the network {network}?"):
                places.networks.append(network)
        for path in parts.serial_ports():
            question = SetupQuestion(f"Ask devices on {path}?", ("y", "n", "l"), labels=PORT_LABELS)
            if (answer := await talk.ask(question)) == "y":
                places.add(Endpoint("rtu", path=str(path)))
            elif answer == "l":
                places.listening.append(Endpoint("rtu", path=str(path)))
        await talk.say(EXAMPLES)
        asked = SetupQuestion("Another address, such as 192.168.1.20 or /dev/ttyUSB0?", empty="none")
        for complaint in _add_typed(parts, places, await talk.ask(asked)):
            await talk.say(complaint)
        if not places.is_empty:
            return places
        await talk.say("  nothing to search: say yes to one, or type an address")


def _add_typed(parts: SetupParts, places: Places, text: str) -> Iterator[str]:
    """Take the addresses in a text; a line for each that is none."""
    newest: Endpoint | None = None
    expects_units = False
    for word in _words(text):
        if word.casefold() in UNIT_WORDS:
            expects_units = True
        elif expects_units and _UNIT_IDS.fullmatch(word):
            if newest is None:
                yield f"  unit {word}: name the address before it, such as /dev/ttyUSB0 unit {word}"
                continue
            try:
                places.add(newest, (*places.units_at.get(newest, ()), *parse_units(word.strip(","))))
            except ValueError as complaint:
                yield f"  {complaint}"
        else:
            expects_units = False
            try:
                newest = spoken_endpoint(word)
            except ValueError:
                newest = None
                yield f"  {word[:60]}: not an address, left out"
            else:
                if (refusal := _refusal(parts, newest)) is None:
                    places.add(newest)
                else:
                    newest = None
                    yield f"  {word[:60]}: {refusal}"


def _refusal(parts: SetupParts, endpoint: Endpoint) -> str | None:
    """Why a browser may not name this: whoever sits there is not the one who started set-up at this computer."""
    if parts.may_name_files:
        return None
    if endpoint.certificate:
        return "names a file of this computer, which only `setup` in its terminal takes: left out"
    if endpoint.is_serial and not parts.is_serial_device(endpoint.path):
        return "not a serial port of this computer, left out"
    return None


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()
