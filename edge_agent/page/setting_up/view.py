"""Draws the page of set-up: where one is, what was said, and the question as a form."""

from __future__ import annotations

from edge_agent.page.frame import card
from edge_agent.page.markup import NOTHING, Html, filled, joined
from edge_agent.page.setting_up.conversation import MAX_ANSWER_CHARS, SetupPicture
from edge_agent.page.words import PageWords, translatable
from edge_agent.setup.conversation import SetupQuestion

WORKING_REFRESH_S, VALUES_REFRESH_S = 2, 10
_YES_NO = {"y": translatable("Yes"), "n": translatable("No")}
_FORM = (
    '<form method="post" action="/setup" autocomplete="off"><input type="hidden" name="token" value="{token}">'
    '<input type="hidden" name="number" value="{number}">\n{fields}</form>\n'
)
_BUTTON = '<button name="{name}" value="{value}"{kind}{focus}>{label}</button>\n'
_FOCUS, _FIRST = Html(" autofocus"), Html(' class="first"')


def refresh_s(picture: SetupPicture) -> int:
    """How soon the page looks again; 0 where it waits for the person, who may be typing."""
    if picture.is_done or picture.stopped:
        return 0
    if picture.question is None:
        return WORKING_REFRESH_S
    return VALUES_REFRESH_S if picture.question.read_values is not None else 0


def live_texts(picture: SetupPicture) -> dict[str, str]:
    """What changes on the page while it is open; another `state` asks for a new page."""
    values = {f"value-{at}": words for at, (_, words) in enumerate(picture.values)}
    return {"state": str(picture.change), **values}


def setup_view(
    words: PageWords, picture: SetupPicture, *, token: str, note: str = "", steps: tuple[str, ...] = ()
) -> tuple[str, Html]:
    """The page's title and content. `note`: what was wrong with the form that came; `steps`: their titles.

    Without steps it is only the comparison with the legal meter.
    """
    number, of, step = picture.step or (0, 0, "")
    general = words.text("Set-up") if steps else words.text("Your legal meter")
    place = words.text("Step %(number)s of %(of)s", number=number, of=of) if number else general
    end = words.text("Everything is set up") if steps else words.text("The comparison ends here")
    title = end if picture.is_done else _begun_large(step) or general
    head = filled('<p class="lede">{place}</p>\n<h1>{title}</h1>\n', place=place, title=title)
    parts = [filled('<p class="alert" role="alert">{note}</p>\n', note=note) if note else NOTHING]
    parts.append(_lines(picture))
    if picture.is_done:
        parts.append(_end(words) if steps else NOTHING)
    elif picture.stopped:
        parts.append(_stopped(words, picture, token))
    elif picture.question is None:
        parts.append(_working(words, picture))
    else:
        parts.append(_question(words, picture, picture.question, token=token))
    topic = filled("<h2>{topic}</h2>\n", topic=picture.topic) if picture.topic else NOTHING
    now = filled('<section class="card">\n{topic}{parts}</section>\n', topic=topic, parts=joined(parts))
    page = (
        '{head}<div class="two" data-state="{state}"><div class="stack">\n{now}</div>'
        '<div class="stack">\n{beside}</div></div>\n'
    )
    beside = joined([_steps(words, steps, number=number, is_done=picture.is_done), _answered(words, picture)])
    return f"{place}: {title}" if number else title, filled(
        page, head=head, state=picture.change, now=now, beside=beside
    )


def _begun_large(text: str) -> str:
    """With a capital, unless it begins with the name of a file or a map."""
    return text if {".", "-"} & set(text.partition(",")[0].partition(" ")[0]) else text[:1].upper() + text[1:]


def _lines(picture: SetupPicture) -> Html:
    """What was said since the last answer."""
    said, alert = [], Html(' class="alert"') if picture.is_again else NOTHING
    for line in picture.lines:
        template = "<pre>{line}</pre>\n" if "\n" in line else "<p{kind}>{line}</p>\n"
        said.append(filled(template, line=line, kind=alert))
    kind = Html(' role="alert"') if picture.is_again and said else NOTHING
    return filled('<div id="said"{kind}>\n{said}</div>\n', kind=kind, said=joined(said))


def _working(words: PageWords, picture: SetupPicture) -> Html:
    text = picture.working or words.text("One moment, please.")
    return filled('<p role="status"><b>{text}</b></p>\n', text=text)


def _question(words: PageWords, picture: SetupPicture, question: SetupQuestion, *, token: str) -> Html:
    asked = question.text.strip()
    if question.is_several:
        fields = _several(words, question, asked)
    elif question.choices:
        fields = _choices(words, question, asked)
    else:
        fields = _text(words, picture, question, asked=asked)
    return joined([_values(picture), filled(_FORM, token=token, number=picture.number, fields=fields)])


def _values(picture: SetupPicture) -> Html:
    if not picture.values:
        return NOTHING
    row = '<li>{name}<br><b data-live="value-{at}">{words}</b></li>\n'
    rows = [filled(row, name=_begun_large(name), at=at, words=words) for at, (name, words) in enumerate(picture.values)]
    return filled('<ul class="rows">\n{rows}</ul>\n', rows=joined(rows))


def _choices(words: PageWords, question: SetupQuestion, asked: str) -> Html:
    buttons = []
    for at, choice in enumerate(question.choices):
        label = question.labels[at] if at < len(question.labels) else ""
        shown = _begun_large(label) or words.looked_up(_YES_NO.get(choice, choice))
        is_usual = choice == question.default
        buttons.append(
            filled(
                _BUTTON,
                name="answer",
                value=choice,
                kind=_FIRST if is_usual and "y" not in question.choices else NOTHING,
                focus=_FOCUS if is_usual else NOTHING,
                label=shown,
            )
        )
    group = (
        '<fieldset aria-describedby="said"{focus}><legend>{asked}</legend>\n'
        '<div class="stack">\n{buttons}</div></fieldset>\n'
    )
    # Where no answer is the usual one, the first Enter must not give one.
    focus = NOTHING if question.default in question.choices else Html(' tabindex="-1" autofocus')
    return filled(group, asked=asked, buttons=joined(buttons), focus=focus)


def _several(words: PageWords, question: SetupQuestion, asked: str) -> Html:
    chosen = (question.default or "").split(",")
    box = '<p><label><input type="checkbox" name="choice-{choice}" value="1"{checked}{focus}> {label}</label></p>\n'
    boxes = [
        filled(
            box,
            choice=choice,
            checked=Html(" checked") if choice in chosen else NOTHING,
            focus=_FOCUS if at == 0 else NOTHING,
            label=_begun_large(question.labels[at] if at < len(question.labels) else choice),
        )
        for at, choice in enumerate(question.choices)
    ]
    group = '<fieldset aria-describedby="said"><legend>{asked}</legend>\n{boxes}</fieldset>\n{go_on}'
    return filled(group, asked=asked, boxes=joined(boxes), go_on=_go_on(words))


def _text(words: PageWords, picture: SetupPicture, question: SetupQuestion, *, asked: str) -> Html:
    field = (
        '<p><label class="asked" for="answer">{asked}</label>\n'
        '<input id="answer" name="answer" class="wide" value="{typed}" maxlength="{most}" aria-describedby="said"'
        ' autofocus spellcheck="false" autocapitalize="off"></p>\n'
        "{empty}{go_on}"
    )
    empty = NOTHING
    if question.empty:
        text = words.text("Left empty, it means: %(meaning)s.", meaning=question.empty)
        empty = filled("<p><small>{text}</small></p>\n", text=text)
    typed = "" if question.is_secret else picture.typed
    return filled(field, asked=asked, typed=typed, most=MAX_ANSWER_CHARS, empty=empty, go_on=_go_on(words))


def _go_on(words: PageWords) -> Html:
    return filled('<p><button class="first">{text}</button></p>\n', text=words.text("Go on"))


def _stopped(words: PageWords, picture: SetupPicture, token: str) -> Html:
    text = filled('<p class="alert" role="alert">{text}</p>\n', text=picture.stopped)
    button = filled(_BUTTON, name="do", value="go-on", kind=_FIRST, focus=_FOCUS, label=words.text("Go on from here"))
    return joined([text, filled(_FORM, token=token, number=picture.number, fields=button)])


def _end(words: PageWords) -> Html:
    link = '<p><a href="/" autofocus>{text}</a></p>\n'
    return filled(link, text=words.text("Open the home's page"))


def _steps(words: PageWords, steps: tuple[str, ...], *, number: int, is_done: bool) -> Html:
    if not steps:
        return NOTHING
    rows = []
    for at, title in enumerate(steps, 1):
        if at < number or is_done:
            state, kind = words.text("done"), "state fine"
        else:
            state, kind = (words.text("now"), "state") if at == number else ("", "state")
        current = Html(' aria-current="step"') if at == number and not is_done else NOTHING
        row = '<li class="meter"{current}><span>{at} {title}</span><b class="{kind}">{state}</b></li>\n'
        rows.append(filled(row, current=current, at=at, title=_begun_large(title), kind=kind, state=state))
    return card("steps", words.text("The steps"), filled('<ol class="rows">\n{rows}</ol>\n', rows=joined(rows)))


def _answered(words: PageWords, picture: SetupPicture) -> Html:
    if not picture.answered:
        return NOTHING
    row = "<li>{question}<br><b>{answer}</b></li>\n"
    rows = [
        filled(
            row,
            question=each.question,
            answer=words.text("not shown") if each.answer is None else _answer(words, each.answer),
        )
        for each in picture.answered
    ]
    fold = '<details><summary>{text}</summary>\n<ol class="rows">\n{rows}</ol></details>\n'
    return filled(fold, text=words.text("Your answers in this step"), rows=joined(rows))


def _answer(words: PageWords, answer: str) -> str:
    return words.looked_up(_YES_NO.get(answer, answer))
