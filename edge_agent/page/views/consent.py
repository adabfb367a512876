"""Consent: what may leave the home, purpose by purpose, with a button each, as `commonwatt-agent consent` shows it."""

from __future__ import annotations

from edge_agent.consent.wording import MEASURE_WORDS, RESOLUTION_WORDS
from edge_agent.page.frame import card
from edge_agent.page.markup import NOTHING, Html, filled, joined
from edge_agent.page.words import PageWords, translatable
from protocols.consent.purposes import CATALOGUE, CONTRACT, HEALTH, Basis
from protocols.consent.rules import ConsentRule, ConsentSet
from protocols.slots import Slot, start_of

PURPOSE_NAMES = {
    "settle.share": translatable("share surplus energy and settle it"),
    "device.health": translatable("see whether devices answer, without any power"),
    "forecast.hood": translatable("forecast the neighbourhood's sums"),
    "forecast.home": translatable("forecast this home"),
    "prompt.shift": translatable("propose better hours for appliances"),
    "peers.view": translatable("show this home to the other members"),
    "research": translatable("take part in a research project"),
    "grid.flex": translatable("report flexibility to the grid operator"),
}
MEASURE_NAMES = (
    translatable("what you draw from the grid"),
    translatable("what you feed into the grid"),
    translatable("what your panels produce"),
    translatable("what your wind turbine produces"),
    translatable("what your battery takes"),
    translatable("what your battery gives"),
    translatable("what the meter of an appliance counts"),
)
RESOLUTION_NAMES = (
    translatable("each quarter hour"),
    translatable("one value an hour"),
    translatable("one value a day"),
    translatable("no amounts"),
)
_BASES = {
    Basis.CONTRACT: translatable("Part of the membership contract: always."),
    Basis.INTEREST: translatable("A legitimate interest of the co-op; you may object."),
    Basis.CONSENT: translatable("Only with your consent, which you can withdraw at any time."),
}


def consent_view(
    words: PageWords, given: ConsentSet, *, in_force: int, now: Slot, token: str, may_change: bool
) -> tuple[str, Html]:
    """The page's title and content. `in_force`: the version that the agent seals under in the slot `now`."""
    title = words.text("Consent")
    parts = [filled("<h1>{head}</h1>\n", head=_head(words, given, now))]
    lede = words.text("Version %(version)s, in force.", version=given.version)
    if in_force != given.version:
        lede = words.text(
            "Version %(version)s is taken up within seconds; version %(now)s is in force.",
            version=given.version,
            now=in_force,
        )
    parts.append(filled('<p class="lede">{lede}</p>\n', lede=lede))
    if not may_change:
        text = words.text('To change it here, agent.toml needs the line consent = "consent.toml" at its top.')
        parts.append(filled("<p>{text}</p>\n", text=text))
    items = [_purpose(words, code, given, now=now, token=token if may_change else "") for code in _codes(given)]
    rows = filled('<ul class="rows">\n{items}</ul>', items=joined(items))
    parts.append(card("purposes", words.text("What each purpose gets"), rows))
    return title, joined(parts)


def _codes(given: ConsentSet) -> list[str]:
    known = [code for code in CATALOGUE if code != "research"]
    return [*known, *sorted({rule.purpose for rule in given.rules} - set(known))]


def _head(words: PageWords, given: ConsentSet, now: Slot) -> str:
    allowed = {rule.purpose for rule in given.rules if not _is_over(rule, now)} - {CONTRACT, HEALTH}
    if not allowed:
        return words.text("Only what membership needs leaves the home")
    return words.plural("%(n)s purpose is allowed", "%(n)s purposes are allowed", len(allowed))


def _is_over(rule: ConsentRule, now: Slot) -> bool:
    return rule.valid_until is not None and rule.valid_until <= now


def _state(words: PageWords, rules: list[ConsentRule], now: Slot) -> tuple[bool, str]:
    """Whether the purpose gets something now or later, and how that is said."""
    lasting = [rule for rule in rules if not _is_over(rule, now)]
    if not lasting:
        return False, words.text("Over") if rules else words.text("Off")
    if all(rule.valid_from > now for rule in lasting):
        begins = min(rule.valid_from for rule in lasting)
        return True, words.text("On from %(moment)s", moment=words.moment(start_of(begins)))
    return True, words.text("On")


def _purpose(words: PageWords, code: str, given: ConsentSet, *, now: Slot, token: str) -> Html:
    rules = [rule for rule in given.rules if rule.purpose == code]
    is_on, state = _state(words, rules, now)
    purpose = CATALOGUE["research" if code.startswith("research.") else code]
    name = words.looked_up(PURPOSE_NAMES[purpose.code])
    name = f"{name} ({code.removeprefix('research.')})" if code.startswith("research.") else name
    item = (
        '<li><div class="meter"><b>{name}</b><span class="state{fine}">{state}</span></div>\n{gets}'
        "<small>{basis}</small>\n{button}</li>\n"
    )
    return filled(
        item,
        name=name,
        fine=" fine" if is_on else "",
        state=state,
        gets=joined(filled("{text}<br>\n", text=_gets(words, rule)) for rule in rules if rule.measures),
        basis=words.looked_up(_BASES[purpose.basis]),
        button=_button(words, code, name, is_on=is_on, token=token) if token and code != CONTRACT else NOTHING,
    )


def _gets(words: PageWords, rule: ConsentRule) -> str:
    what = ", ".join(words.looked_up(MEASURE_WORDS.get(each, each.code)) for each in rule.measures)
    how = words.looked_up(RESOLUTION_WORDS[rule.resolution])
    since = words.text("from %(moment)s", moment=words.moment(start_of(rule.valid_from))) if rule.valid_from else ""
    ends = rule.valid_until
    until = words.text("until %(moment)s", moment=words.moment(start_of(ends))) if ends is not None else ""
    return "; ".join(filter(None, (what, how, since, until)))


def _button(words: PageWords, code: str, name: str, *, is_on: bool, token: str) -> Html:
    form = (
        '<form method="post" action="/consent"><input type="hidden" name="token" value="{token}">'
        '<input type="hidden" name="purpose" value="{code}">'
        '<button class="{kind}" name="do" value="{do}" aria-label="{label}">{text}</button></form>\n'
    )
    if is_on:
        text, label, do, kind = words.text("Withdraw"), words.text("Withdraw: %(what)s", what=name), "withdraw", "stop"
    else:
        text, label, do, kind = words.text("Allow"), words.text("Allow: %(what)s", what=name), "allow", "plain"
    return filled(form, token=token, code=code, kind=kind, do=do, text=text, label=label)
