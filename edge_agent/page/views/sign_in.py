"""Signing in from the home's network with a one-time PIN, and the page of one sentence for a refusal."""

from __future__ import annotations

from edge_agent.page.markup import NOTHING, Html, filled
from edge_agent.page.words import PageWords


def sign_in_page(words: PageWords, *, token: str, is_wrong: bool) -> Html:
    """The form for the PIN."""
    wrong = words.text("This PIN is not right, too old or used up. After three wrong tries make a new one in the home.")
    form = (
        "<h1>{head}</h1>\n{wrong}"
        '<p class="lede">{how}</p>\n<pre>commonwatt-agent page pin</pre>\n'
        '<form method="post" action="/sign-in"><input type="hidden" name="token" value="{token}">\n'
        '<p><label for="pin">{label}</label> <input id="pin" name="pin" inputmode="numeric"'
        ' autocomplete="one-time-code" maxlength="20" required></p>\n'
        '<p><button class="first">{button}</button></p></form>'
    )
    return filled(
        form,
        head=words.text("Your home's own page"),
        how=words.text("It asks for a PIN once. Whoever can use the agent's computer gets one with this command:"),
        wrong=filled('<p class="alert" role="alert">{text}</p>\n', text=wrong) if is_wrong else NOTHING,
        token=token,
        label=words.text("PIN"),
        button=words.text("Open"),
    )


def sentence_page(words: PageWords, sentence: str, *, title: str) -> Html:
    """One sentence, and the way back."""
    text = '<h1>{title}</h1>\n<p class="lede">{sentence}</p>\n<p><a href="/">{back}</a></p>'
    return filled(text, title=title, sentence=sentence, back=words.text("Back to Live"))
