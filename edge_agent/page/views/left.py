"""What left my home: every numbered message with its receipt and all it says, and the switch that keeps all at home."""

from __future__ import annotations

from edge_agent.outbox.contents import message_text
from edge_agent.outbox.messages import OutboxError
from edge_agent.outbox.opening import FILE_NAME
from edge_agent.outbox.text import refusal_words
from edge_agent.outbox.view import OutboxMessage, OutboxOverview, read_message, read_overview
from edge_agent.page.frame import card, table
from edge_agent.page.markup import NOTHING, Html, filled, joined
from edge_agent.page.running_home import RunningHome
from edge_agent.page.views.beside import beside_card
from edge_agent.page.words import PageWords, translatable
from protocols.wire.refusal_reasons import WireError

LISTED = 100
MOST_LISTED = 1000
KINDS = {"batch": translatable("readings"), "consent": translatable("consent"), "answer": translatable("answer")}


def left_view(home: RunningHome, words: PageWords, *, token: str, is_long: bool) -> tuple[str, Html]:
    """The page's title and content. Raises: OutboxError."""
    title = words.text("What left my home")
    has_outbox = (home.folder / FILE_NAME).exists()
    found = read_overview(home.folder, limit=MOST_LISTED if is_long else LISTED) if has_outbox else None
    parts = [
        filled(
            '<h1>{head}</h1>\n<p class="lede">{lede}</p>\n', head=_head(home, words, found), lede=_lede(words, found)
        ),
        _switch(home, words, found, token=token),
    ]
    if found is not None and found.newest:
        parts.append(_messages(words, found, is_long=is_long))
    parts.append(beside_card(home, words))
    return title, joined(parts)


def message_view(home: RunningHome, words: PageWords, place: str) -> tuple[str, Html]:
    """All that one message says; `place` is its number such as '1790000000/42'. Raises: OutboxError."""
    epoch, _, seq = place.partition("/")
    if not all(part.isascii() and part.isdigit() and len(part) <= 10 for part in (epoch, seq)):
        raise OutboxError(words.text("There is no such message."))
    kind, sealed = read_message(home.folder, int(epoch), int(seq))
    try:
        text = message_text(kind, sealed, home.tz)
    except WireError as error:
        raise OutboxError(f"{place}: {error.detail}") from None
    title = words.text("Message %(number)s", number=place)
    lede = words.text("This is all that it says. %(bytes)s bytes left the home, sealed and filled up to a fixed size.",
                      bytes=len(sealed))  # fmt: skip
    page = '<h1>{title}</h1>\n<p class="lede">{lede}</p>\n<section class="card"><pre>{text}</pre></section>\n{back}'
    back = filled('<p><a href="/left">{text}</a></p>', text=words.text("Back to all messages"))
    return title, filled(page, title=title, lede=lede, text=text, back=back)


def _head(home: RunningHome, words: PageWords, found: OutboxOverview | None) -> str:
    if home.switch.is_stopped:
        return words.text("Nothing is sent")
    if found is None or not found.messages:
        return words.text("Nothing has left yet")
    if not found.waiting:
        return words.text("The hub has signed for everything")
    return words.plural("%(n)s message waits for its receipt", "%(n)s messages wait for their receipts", found.waiting)


def _lede(words: PageWords, found: OutboxOverview | None) -> str:
    if found is None:
        return words.text("The agent has not begun yet.")
    if found.revoked is not None:
        return words.text("The hub takes nothing more from this agent: ask your co-op's board.")
    return words.text(
        "A message stays in the home until the hub has signed for it, and some days longer. Only what your consent"
        " allows is in it."
    )


def _switch(home: RunningHome, words: PageWords, found: OutboxOverview | None, *, token: str) -> Html:
    stopped_at = home.switch.stopped_at
    if stopped_at is None:
        state = words.text("Connected to the hub.") if home.is_connected() else words.text("The hub is out of reach.")
        text = words.text(
            "Send nothing ends all contact with the hub until you press Send again, also over a restart of the agent."
            " Measuring goes on; what is measured waits here and leaves then; the co-op may have to estimate meanwhile."
            " To keep something at home for good, withdraw its purpose under Consent."
        )
        do, button, kind = "stop", words.text("Send nothing"), "stop"
    else:
        waiting = 0 if found is None else found.waiting
        state = words.text("Nothing is sent since %(moment)s.", moment=words.moment(stopped_at))
        text = words.plural(
            "%(n)s message waits here and leaves when you switch sending on. The co-op may have to estimate meanwhile.",
            "%(n)s messages wait here and leave when you switch sending on. The co-op may have to estimate meanwhile.",
            waiting,
        )
        do, button, kind = "resume", words.text("Send again"), "first"
    form = (
        "<p><b>{state}</b></p>\n<p>{text}</p>\n"
        '<form method="post" action="/left/sending"><input type="hidden" name="token" value="{token}">'
        '<button class="{kind}" name="do" value="{do}">{button}</button></form>'
    )
    content = filled(form, state=state, text=text, token=token, kind=kind, do=do, button=button)
    return card("sending", words.text("Sending"), content)


def _messages(words: PageWords, found: OutboxOverview, *, is_long: bool) -> Html:
    rows: list[tuple[object, ...]] = [
        (
            words.moment(each.made_at),
            filled('<a href="/left/{epoch}/{seq}">{kind}</a>', epoch=each.epoch, seq=each.seq, kind=_kind(words, each)),
            "–" if each.published_at is None else words.clock(each.published_at),
            _receipt(words, each),
        )
        for each in found.newest
    ]
    heads = (words.text("sealed"), words.text("message"), words.text("left"), words.text("receipt"))
    title = words.text("Messages, newest first")
    more = NOTHING
    if not is_long and found.messages > len(found.newest):
        more = filled('<p><a href="/left?all=1">{text}</a></p>', text=words.text("Show older ones"))
    return card("messages", title, joined([table(heads, rows, label=title, kind="list"), more]))


def _kind(words: PageWords, message: OutboxMessage) -> str:
    return words.looked_up(KINDS.get(message.kind, message.kind))


def _receipt(words: PageWords, message: OutboxMessage) -> object:
    if message.refused:
        return words.text("refused: %(why)s", why=refusal_words(message.refused))
    return words.text("waits") if message.receipted_at is None else words.clock(message.receipted_at)
