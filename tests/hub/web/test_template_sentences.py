"""Every sentence in the templates is marked for translation and whole. Planted faults test the checker itself."""

from pathlib import Path

import pytest

from tests.hub.web.template_checker import template_problems

ROOM = Path(__file__).parents[3] / "hub" / "web" / "templates"
TEMPLATES = sorted([*ROOM.glob("*.html"), *ROOM.glob("mail/*.txt")])


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_sentences_of_a_template_are_marked_and_whole(path: Path) -> None:
    assert not template_problems(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "fault",
    [
        "<p>Nothing is settled.</p>",
        '<p>{{ "Nothing is settled." }}</p>',
        '<p>{{ view.lede if view else "Nothing" }}</p>',
        '<nav aria-label="Months">{{ x }}</nav>',
        "<nav aria-label=\"{{ 'Months' if x else _('Years') }}\"></nav>",
        '<img alt="The street at noon" src="x">',
        '<input placeholder="Your name">',
        '<input type="submit" value="Save it">',
        '<optgroup label="Ways of sharing"></optgroup>',
        '{% set title = "The last days" %}<p>{{ title }}</p>',
        '{{ table("Show as table") }}',
    ],
)
def test_an_unmarked_sentence_is_found(fault: str) -> None:
    assert any("unmarked" in problem for problem in template_problems(fault)), template_problems(fault)


@pytest.mark.parametrize(
    "fault",
    [
        '<p>{{ _("You gave") }} {{ amount }}</p>',
        '<p>{{ amount }} <small>{{ _("to answer") }}</small></p>',
        '<p>{{ _("You gave") }} {{ _("to the street") }}</p>',
        '<p>{% if x %}{{ _("You gave") }}{% endif %} {{ _("More") }}</p>',
        '<p>{% for x in y %}{{ x }} {{ _("more of it") }}{% endfor %}</p>',
        "<p>{{ what }}.</p>",
        '<p>{{ _("It is ") ~ amount }}</p>',
        '<p>{{ _("It is") ~ amount }}</p>',
        '<p>{{ _("It is %(what)s", what=_("dark")) }}</p>',
        '<p>{{ _("%(n)s days", n=n) }}</p>',
        '<p>{{ _("You gave,") }}</p>',
        "<p>{{ _(sentence) }}</p>",
    ],
)
def test_a_glued_sentence_is_found(fault: str) -> None:
    problems = template_problems(fault)
    assert problems, fault
    assert not any("unmarked" in problem for problem in problems), problems


@pytest.mark.parametrize(
    "fine",
    [
        '<p>{{ _("You gave %(amount)s.", amount=amount) }} {{ _("You got nothing.") }}</p>',
        '<p>{% if x %}{{ _("on") }}{% else %}{{ _("off") }}{% endif %}</p>',
        '<h2>{{ _("Just now") }} <small>{{ time }}</small></h2>',
        '<p>{{ line.what }}: {{ line.why }}</p><p>{{ _("after it") }}</p>',
        '<p class="{{ \'state fine\' if x else "" }}">{{ ngettext("%(num)s day", "%(num)s days", n) }}</p>',
        '<a href="x">statement.json</a> · <code>python verify</code>',
        '<{{ level }} class="x">{{ x }}</{{ level }}>',
    ],
)
def test_a_whole_marked_sentence_passes(fine: str) -> None:
    assert template_problems(fine) == []
