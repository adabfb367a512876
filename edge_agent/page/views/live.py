"""Live: where the home's power comes from and goes to now, and what today has brought so far."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from edge_agent.home_store.contents import KeptQuarter
from edge_agent.home_store.view import read_quarters
from edge_agent.page.charts import PlotScale, draw_flow, draw_steps
from edge_agent.page.day_energy import DayEnergy, add_up, made_and_used
from edge_agent.page.flows import PowerFlow, power_flow
from edge_agent.page.frame import card, legend, table
from edge_agent.page.markup import NOTHING, Html, filled, joined
from edge_agent.page.names import MEASURE_NAMES
from edge_agent.page.running_home import RunningHome
from edge_agent.page.views.credits import credit_sentence
from edge_agent.page.words import PageWords, translatable
from protocols.slots import slot_of, slots_of_day

NAMES = {
    "sun": translatable("from the sun"),
    "wind": translatable("from the wind"),
    "use": translatable("the home uses"),
    "into battery": translatable("into the battery"),
    "from battery": translatable("from the battery"),
    "from grid": translatable("from the grid"),
    "to grid": translatable("to the grid"),
}


@dataclass(frozen=True, slots=True)
class LiveView:
    """The page's content, and the texts that change while it is open."""

    title: str
    main: Html
    texts: dict[str, str]


def live_view(home: RunningHome, words: PageWords) -> LiveView:
    """The page now. Reads the home's own history. Raises: HomeStoreError, KeptRowError."""
    now_s = home.now()
    flow = power_flow(home.places, home.live.newest, not_before_s=home.fresh_since_s)
    texts = _texts(home, words, flow)
    day = slots_of_day(words.today(now_s), home.tz)
    quarters = list(read_quarters(home.folder, day))
    main = joined(
        [
            filled('<h1 data-live="head">{head}</h1>\n', head=texts["head"]),
            filled('<p class="lede" data-live="lede">{lede}</p>\n', lede=texts["lede"]),
            Html('<div class="two"><div class="stack">\n'),
            _now(words, flow, texts),
            _today_chart(words, quarters, day=day, first=_first_value(home, words)),
            Html('</div><div class="stack">\n'),
            _today(words, quarters, day=day, now_s=now_s),
            credit_sentence(home, words, words.today(now_s) - timedelta(days=1), name=words.text("Yesterday")),
            Html("</div></div>\n"),
        ]
    )
    return LiveView(words.text("Live"), main, texts)


def _texts(home: RunningHome, words: PageWords, flow: PowerFlow) -> dict[str, str]:
    texts = {"head": _head(words, flow), "lede": _lede(words, flow)}
    for side, parts in (("from", flow.sources), ("to", flow.sinks)):
        for kind, power in parts:
            texts[f"{side}-{kind}"] = words.power(power)
    newest = max((value.at_s for value in home.live.newest.values()), default=None)
    texts["fresh"] = (
        words.text("nothing read yet") if newest is None else words.text("read at %(time)s", time=words.clock(newest))
    )
    return texts


def _head(words: PageWords, flow: PowerFlow) -> str:
    if flow.grid_w is None:
        return words.text("The grid's meter shows nothing now")
    if flow.grid_w < 0:
        return words.text("%(power)s to spare now", power=words.power(-flow.grid_w))
    if flow.grid_w == 0:
        return words.text("Nothing from the grid now")
    return words.text("%(power)s from the grid now", power=words.power(flow.grid_w))


def _lede(words: PageWords, flow: PowerFlow) -> str:
    if flow.use_w is not None:
        return words.text("The home uses %(power)s.", power=words.power(flow.use_w))
    if flow.silent:
        names = ", ".join(sorted({place.device for place in flow.silent}))
        return words.text("What the home uses is not known: no value from %(devices)s.", devices=names)
    return words.text("What the home uses is not known: no meter reads the grid.")


def _now(words: PageWords, flow: PowerFlow, texts: dict[str, str]) -> Html:
    rows = []
    for side, parts in (("from", flow.sources), ("to", flow.sinks)):
        for kind, _ in parts:
            name = (
                NAMES.get(kind)
                or NAMES[f"{'from' if side == 'from' else 'into' if kind == 'battery' else 'to'} {kind}"]
            )
            row = (
                '<li class="meter"><span><svg class="mark" viewBox="0 0 10 10" aria-hidden="true">'
                '<rect class="flow-{kind}" width="10" height="10" rx="2"/></svg>{name}</span>'
                '<b data-live="{key}">{power}</b></li>\n'
            )
            key = f"{side}-{kind}"
            rows.append(filled(row, kind=kind, name=words.looked_up(name), key=key, power=texts[key]))
    if not rows:
        return card("now", words.text("Power now"), filled("<p>{text}</p>", text=words.text("No power is read now.")))
    sentence = words.text("Above, what gives power; below, what takes it. The list has the numbers.")
    bars = [[(kind, float(power)) for kind, power in side] for side in (flow.sources, flow.sinks)]
    picture = draw_flow("flow", rows=bars, title=words.text("Power now"), sentence=sentence)
    content = '<figure>{picture}</figure>\n<ul class="rows">\n{rows}</ul>\n'
    return card("now", words.text("Power now"), filled(content, picture=picture, rows=joined(rows)))


def _today(words: PageWords, quarters: Iterable[KeptQuarter], *, day: range, now_s: float) -> Html:
    energy = add_up(quarters)
    if not energy.energies_wh:
        text = words.text("No quarter hour of today is measured yet.")
        return card("today", words.text("Today so far"), filled("<p>{text}</p>", text=text))
    line = '<li class="meter"><span>{name}</span><b>{energy}</b></li>\n'
    rows = [
        filled(line, name=words.looked_up(MEASURE_NAMES[measure]), energy=words.energy(energy_wh))
        for measure, energy_wh in energy.energies_wh.items()
    ]
    if energy.used_wh is not None:
        rows.insert(0, filled(line, name=words.text("used in the home"), energy=words.energy(energy.used_wh)))
    note = _missing(words, energy, passed=slot_of(now_s) - day.start)
    return card(
        "today",
        words.text("Today so far"),
        filled('<ul class="rows">\n{rows}</ul>{note}', rows=joined(rows), note=note),
    )


def _missing(words: PageWords, energy: DayEnergy, *, passed: int) -> Html:
    missing = max(0, passed - energy.complete)
    if not missing:
        return NOTHING
    text = words.plural(
        "%(n)s quarter hour of today is missing or incomplete.",
        "%(n)s quarter hours of today are missing or incomplete.",
        missing,
    )
    return filled("<p><small>{text}</small></p>", text=text)


def _first_value(home: RunningHome, words: PageWords) -> str:
    """When the first quarter hour of today comes, where there is none yet."""
    first = home.first_whole()
    if first is None:
        return words.text("The first quarter hour comes once the agent knows the time.")
    ends = max(first, slot_of(home.now())) + 1
    return words.text("The first quarter hour comes shortly after %(time)s.", time=words.slot_clock(ends))


def _today_chart(words: PageWords, quarters: list[KeptQuarter], *, day: range, first: str) -> Html:
    made, used = made_and_used(quarters, day)
    if not any(each is not None for each in (*made, *used)):
        text = words.text("Nothing to draw yet.")
        return card(
            "chart", words.text("Today by quarter hour"), filled("<p>{text} {first}</p>", text=text, first=first)
        )
    ticks = tuple((at, words.slot_clock(day.start + at)) for at in range(0, len(day) + 1, max(1, len(day) // 4)))
    scale = PlotScale(len(day), ticks, lambda kw: f"{words.number(kw, 0 if kw >= 10 else 1)} kW")
    title = words.text("Today by quarter hour")
    sentence = words.text("What was made in the home (area) and used in it (dashed), as mean power.")
    picture = draw_steps("day", scale=scale, made=made, used=used, title=title, sentence=sentence)
    rows: list[tuple[object, ...]] = [
        (words.slot_clock(slot), _kw(words, made[at]), _kw(words, used[at]))
        for at, slot in enumerate(day)
        if made[at] is not None or used[at] is not None
    ]
    heads = (words.text("from"), words.text("made"), words.text("used"))
    exact = table(heads, rows, label=title, is_folded=words.text("Show as table")) if rows else NOTHING
    names = legend([("fill-made", words.text("made")), ("used", words.text("used"))])
    content = "<figure>{picture}<figcaption>{names}</figcaption></figure>\n<p><small>{sentence}</small></p>{exact}"
    return card("chart", title, filled(content, picture=picture, names=names, sentence=sentence, exact=exact))


def _kw(words: PageWords, kw: float | None) -> str:
    return words.text("missing") if kw is None else words.power(kw * 1000)
