"""What leaves beside the numbered messages: questions for the time, the meter's notice, the certificate's renewal."""

from __future__ import annotations

from edge_agent.page.frame import card, table
from edge_agent.page.markup import NOTHING, Html, filled, joined
from edge_agent.page.running_home import RunningHome
from edge_agent.page.words import PageWords, translatable
from edge_agent.uplink.beside import BROKER, RENEWAL, ROOT, SentBeside
from protocols.wire.clock_check import decode_question
from protocols.wire.envelope import payload_of
from protocols.wire.map_bundles.question import decode_map_question
from protocols.wire.meter_notices import ONCE, decode_meter
from protocols.wire.refusal_reasons import WireError

KINDS = {
    "time": translatable("question for the time"),
    "meter": translatable("notice of the grid meter"),
    "maps": translatable("question for the co-op's device maps"),
    RENEWAL: translatable("renewal of the certificate"),
    ROOT: translatable("question for the co-op's root certificate"),
    BROKER: translatable("question where the broker is"),
}


def beside_card(home: RunningHome, words: PageWords) -> Html:
    """How often each kind left since the agent started, and what the newest says."""
    title = words.text("Also sent since the agent started")
    rows: list[tuple[object, ...]] = [
        (words.looked_up(KINDS[kind]), words.number(sent.times), words.moment(sent.last_at), _says(words, kind, sent))
        for kind, sent in home.beside().items()
        if kind in KINDS
    ]
    text = words.text("They have no number and no receipt, and no amount of your home is in them.")
    heads = (words.text("what"), words.text("times"), words.text("last"), words.text("the newest says"))
    shown = table(heads, rows, label=title, kind="list") if rows else NOTHING
    none = NOTHING if rows else filled("<p>{text}</p>", text=words.text("Nothing of the kind yet."))
    return card("beside", title, joined([filled("<p>{text}</p>\n", text=text), shown, none]))


def _says(words: PageWords, kind: str, sent: SentBeside) -> str:
    try:
        if kind == "time":
            asked = decode_question(payload_of(sent.newest))
            return words.text(
                "a random number, the agent's time %(time)s, and that its clock is %(state)s",
                time=words.moment(asked.at),
                state=asked.state.value,
            )
        if kind == "meter":
            told = decode_meter(payload_of(sent.newest))
            says = words.text(
                "map %(quality)s, phases %(phases)s, the legal meter's %(legal)s, class %(metrology)s, from power:"
                " %(derived)s",
                quality=told.quality,
                phases=told.phases,
                legal=told.legal_phases,
                metrology=told.metrology,
                derived=words.text("Yes") if told.is_derived else words.text("No"),
            )
            if told.factor_millionths == ONCE:
                return says
            factor = f"{told.factor_millionths / ONCE:.6g}"
            return words.text("%(says)s, its values times %(factor)s", says=says, factor=factor)
        if kind == "maps":
            serial = decode_map_question(payload_of(sent.newest)).serial
            return words.text("the number of the newest bundle that is here: %(serial)s", serial=serial)
    except WireError as error:
        return error.detail
    if kind == BROKER:
        return words.text("the agent's name")
    if kind == RENEWAL:
        return words.text("the agent's name, a new public key, its signature: %(bytes)s bytes", bytes=len(sent.newest))
    return words.text("nothing about the home")
