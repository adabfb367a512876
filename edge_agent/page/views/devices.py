"""Devices: whether each answers, since when not, what it shows now, and how well its map is known."""

from __future__ import annotations

from edge_agent.devices.silence import CALM
from edge_agent.page.frame import card
from edge_agent.page.markup import NOTHING, Html, filled, joined
from edge_agent.page.names import STATE_NAMES
from edge_agent.page.running_home import DeviceFacts, RunningHome
from edge_agent.page.words import PageWords, translatable
from edge_agent.settings import DeviceSettings
from protocols.wire.readings import DeviceState

ROLES = {
    "grid": translatable("grid"),
    "pv": translatable("solar panels"),
    "wind": translatable("wind turbine"),
    "battery": translatable("battery"),
    "load": translatable("sub-meter"),
}
QUALITIES = {
    "bronze": translatable("bronze: from documents alone, not proven on a device"),
    "silver": translatable("silver: compared with known readings"),
    "gold": translatable("gold: with recordings of night, reset and fault"),
}


def devices_view(home: RunningHome, words: PageWords) -> tuple[str, Html]:
    """The page's title and content."""
    states = {state.name: state for state in home.states()}
    facts = home.facts()
    silent = [device.name for device in home.devices if _is_in_trouble(states.get(device.name))]
    if silent:
        head = words.text("Trouble with %(devices)s", devices=", ".join(silent))
    elif states:
        head = words.text("All devices answer")
    else:
        head = words.text("The devices are not read yet")
    cards = [_device(home, words, device, state=states.get(device.name), facts=facts.get(device.name))
             for device in home.devices]  # fmt: skip
    hint = "<p>{text}</p>\n<pre>commonwatt-agent doctor</pre>"
    text = words.text("What could be wrong, each with what to do, and which devices there are in the home:")
    tail = filled(hint + "\n<pre>commonwatt-agent scan</pre>", text=text)
    page = '<h1>{head}</h1>\n<div class="stack">\n{cards}{more}</div>'
    more = card("more", words.text("More about the devices"), tail)
    return words.text("Devices"), filled(page, head=head, cards=joined(cards), more=more)


def _is_in_trouble(state: DeviceState | None) -> bool:
    return state is not None and state.state not in CALM


def _device(
    home: RunningHome, words: PageWords, device: DeviceSettings, *, state: DeviceState | None, facts: DeviceFacts | None
) -> Html:
    row = '<li class="meter"><span>{name}</span><b>{value}</b></li>\n'
    rows = []
    if state is not None:
        kind = "bad" if _is_in_trouble(state) else "fine"
        shown = filled(
            '<span class="state {kind}">{state}</span>', kind=kind, state=words.looked_up(STATE_NAMES[state.state])
        )
        rows.append(filled(row, name=words.text("State"), value=shown))
        age = words.text("%(age)s ago", age=words.age(state.age_s))
        rows.append(filled(row, name=words.text("Last good answer"), value=age))
    for place in home.places:
        value = home.live.newest.get(place)
        if place.device == device.name:
            is_known = value is not None and value.power_w is not None and value.at_s >= home.fresh_since_s
            power = words.power(value.power_w or 0) if value is not None and is_known else "–"
            rows.append(
                filled(row, name=words.text("Shows, as %(role)s", role=words.looked_up(ROLES[place.role])), value=power)
            )
            if refused := home.live.refused.get(place, 0):
                rows.append(
                    filled(row, name=words.text("Readings that could not be true"), value=words.number(refused))
                )
    if facts is not None:
        if facts.failures:
            rows.append(filled(row, name=words.text("Times without an answer"), value=words.number(facts.failures)))
        rows.append(filled(row, name=words.text("Kind"), value=device.map))
        if device.factor != 1:
            rows.append(filled(row, name=words.text("Its values times"), value=words.number(float(device.factor), 3)))
        quality = words.looked_up(QUALITIES.get(facts.quality, facts.quality))
        rows.append(filled(row, name=words.text("Its register map"), value=quality))
    rows.append(
        filled(
            row,
            name=words.text("Address"),
            value=words.text("%(address)s, unit %(unit)s", address=device.endpoint.shown, unit=device.unit),
        )
    )
    trouble = NOTHING
    if facts is not None and facts.trouble and _is_in_trouble(state):
        trouble = filled('<p class="alert">{text}</p>', text=facts.trouble)
    content = filled('{trouble}<ul class="rows">\n{rows}</ul>', trouble=trouble, rows=joined(rows))
    return card(f"device-{device.name}", device.name, content)
