"""One sentence on what the hub told of a settled day: energy from and to neighbours."""

from __future__ import annotations

from datetime import date

from edge_agent.home_store.credit_days import read_credit_day
from edge_agent.page.markup import NOTHING, Html, filled
from edge_agent.page.running_home import RunningHome
from edge_agent.page.words import PageWords
from protocols.slots import slots_of_day


def credit_sentence(home: RunningHome, words: PageWords, day: date, *, name: str) -> Html:
    """The sentence, which begins with the day's `name`; nothing for a day that the hub has not told."""
    found = read_credit_day(home.folder, slots_of_day(day, home.tz))
    if found is None:
        return NOTHING
    energies = {"received": words.energy(found.received_wh), "given": words.energy(found.given_wh)}
    text = (
        words.text("%(day)s: %(received)s from neighbours, %(given)s to neighbours.", day=name, **energies)
        if found.is_settled
        else words.text(
            "%(day)s: %(received)s from neighbours, %(given)s to neighbours (preliminary).", day=name, **energies
        )
    )
    return filled("<p>{text}</p>\n", text=text)
