"""Prompts as a household reads them: the question, what it brings, why it came, and what became of the old ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hub.storage.records import PromptRow
from hub.web.frame.translation import Localizer
from hub.web.views.home.appliance_form import appliance_label
from protocols.slots import SLOT_S, SLOTS_PER_UTC_DAY, Slot, day_of, format_slot, start_of

SHOWN_WH_MIN = 50
"""Less than this reads as nothing with one decimal of a kilowatt-hour."""


@dataclass(frozen=True, slots=True)
class PromptCard:
    """A card with its question and buttons."""

    id: str
    question: str
    for_all: str
    until: str
    appliance: str
    because: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PastPrompt:
    """One line of what was asked, answered, and measured."""

    asked: str
    answered: str
    happened: str


def open_prompt(row: PromptRow, words: Localizer, *, asked_this_week: int) -> PromptCard:
    """The card for a prompt that still waits."""
    appliance = appliance_label(row.appliance, words)
    return PromptCard(
        id=row.id,
        question=words.say(
            "Could the %(appliance)s start at %(proposed)s instead of %(usual)s?",
            appliance=appliance,
            proposed=_at(row.proposed_slot, row.issued_slot, words),
            usual=_at(row.usual_slot, row.issued_slot, words),
        ),
        for_all=_for_all(row, words),
        until=words.say("Answer until %(time)s.", time=words.clock(row.answer_by_slot + 1)),
        appliance=appliance,
        because=_because(row, words, appliance=appliance, asked_this_week=asked_this_week),
    )


def _for_all(row: PromptRow, words: Localizer) -> str:
    """What a yes brings the street: energy that need not come from the grid, or else calmer busy hours."""
    if row.relief_wh >= SHOWN_WH_MIN:
        return words.say("About %(energy)s less from the grid for the street.", energy=words.kwh(row.relief_wh))
    return words.say("It keeps the run out of the hours in which the street draws most from the grid.")


def _at(slot: Slot, issued: Slot, words: Localizer) -> str:
    """'13:15', or with the day when it is not the day of asking."""
    if day_of(slot, words.tz) == day_of(issued, words.tz):
        return words.clock(slot)
    return f"{words.clock(slot)} ({words.short_day(day_of(slot, words.tz))})"


def _because(row: PromptRow, words: Localizer, *, appliance: str, asked_this_week: int) -> tuple[str, ...]:
    """Everything the question rests on: forecast, what the household told, how often it was asked, its consent."""
    known = dict(row.reasons)
    sentences = _forecast_reasons(row, words, known)
    sentences.append(
        words.say(
            "You told the hub that a run of the %(appliance)s takes %(energy)s and %(minutes)s minutes.",
            appliance=appliance,
            energy=words.kwh(row.energy_wh),
            minutes=words.number(row.duration_slots * SLOT_S // 60),
        )
    )
    sentences.append(
        words.count(
            "You were asked %(n)s time in the last seven days.",
            "You were asked %(n)s times in the last seven days.",
            asked_this_week,
        )
    )
    sentences += _limits(known, words)
    sentences.append(words.say("Your home's consent allows it: proposing better hours for appliances."))
    return tuple(sentences)


def _forecast_reasons(row: PromptRow, words: Localizer, known: Mapping[str, int]) -> list[str]:
    """What the forecast sees: power of our own at the proposed time, busy hours at the usual one, or both."""
    time = words.clock(known.get("forecast_issued_slot", row.issued_slot))
    spare_wh, sentences = known.get("expected_surplus_wh", 0), []
    if spare_wh >= SHOWN_WH_MIN:
        sentences.append(words.say("The forecast of %(time)s sees more power of our own then.", time=time))
        sentences.append(words.say("About %(energy)s would be to spare in those hours.", energy=words.kwh(spare_wh)))
    else:
        sentences.append(words.say("The forecast of %(time)s sees calmer hours then.", time=time))
    if known.get("peak_risk_per_100", 0) > 0:
        share = words.percent(known["peak_risk_per_100"] / 100)
        sentences.append(
            words.say(
                "The usual time falls into the street's busiest hours in %(share)s of the forecast's cases.",
                share=share,
            )
        )
    return sentences


def _limits(known: Mapping[str, int], words: Localizer) -> list[str]:
    """The co-op's rules of asking, with the numbers that held when this was asked."""
    limits = []
    if "asks_per_week_max" in known:
        most = known["asks_per_week_max"]
        limits.append(words.count("The co-op's limit is %(n)s a week.", "The co-op's limit is %(n)s a week.", most))
    if "asks_per_day_max" in known:
        most = known["asks_per_day_max"]
        limits.append(words.count("The co-op's limit is %(n)s a day.", "The co-op's limit is %(n)s a day.", most))
    if "relief_min_wh" in known:
        least = words.kwh(known["relief_min_wh"])
        limits.append(words.say("What is worth less than %(energy)s to the street is not asked.", energy=least))
    return limits


def past_prompt(row: PromptRow, words: Localizer, *, now_s: float) -> PastPrompt:
    """One past prompt."""
    appliance = appliance_label(row.appliance, words)
    asked = words.say(
        "%(moment)s: %(appliance)s at %(proposed)s instead of %(usual)s",
        moment=words.moment(start_of(row.issued_slot)),
        appliance=appliance,
        proposed=words.clock(row.proposed_slot),
        usual=words.clock(row.usual_slot),
    )
    answers = {
        "yes": words.say("You said yes."),
        "no": words.say("You said not today."),
        "never_appliance": words.say("You asked not to be asked about it."),
    }
    answered = answers.get(row.answer or "", words.say("You did not answer."))
    return PastPrompt(asked, answered, _happened(row, words, now_s=now_s))


def _happened(row: PromptRow, words: Localizer, *, now_s: float) -> str:
    if row.answer != "yes":
        return words.say("Nothing was changed.")
    if row.measured_wh is not None:
        if row.measured_wh <= 0:
            return words.say("No moved energy could be measured.")
        return words.say("%(energy)s were moved, measured by your meter.", energy=words.kwh(row.measured_wh))
    over = max(row.usual_slot, row.proposed_slot) + row.duration_slots
    if now_s < start_of(over):
        return words.say("The run is still ahead.")
    return words.say("What it moved is measured in the night after.")


def asked_in_week(rows: Sequence[PromptRow], *, now: Slot) -> int:
    """How many prompts came in the last seven days."""
    return sum(1 for row in rows if row.issued_slot > now - 7 * SLOTS_PER_UTC_DAY)


def prompt_json(row: PromptRow) -> dict[str, object]:
    """A prompt for programs; slots are counted in quarter hours since 1970 and also given as times."""
    return {
        "id": row.id,
        "appliance": row.appliance,
        "energy_wh": row.energy_wh,
        "usual_slot": row.usual_slot,
        "usual_at": format_slot(row.usual_slot),
        "proposed_slot": row.proposed_slot,
        "proposed_at": format_slot(row.proposed_slot),
        "duration_slots": row.duration_slots,
        "relief_wh": row.relief_wh,
        "reasons": [list(reason) for reason in row.reasons],
        "issued_slot": row.issued_slot,
        "answer_by_slot": row.answer_by_slot,
        "answer": row.answer,
        "answered_at": row.answered_at,
        "measured_wh": row.measured_wh,
    }
