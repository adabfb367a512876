"""Prompts as a household sees them: the question, the benefit, the reasons, and the results of past prompts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hub.storage.records import PromptRow
from hub.web.frame.translation import Localizer
from hub.web.views.home.appliance_form import appliance_label
from protocols.slots import SLOT_S, SLOTS_PER_UTC_DAY, Slot, day_of, format_slot, start_of

SHOWN_WH_MIN = 50
"""Any less would be shown as 0.0 kWh."""


@dataclass(frozen=True, slots=True)
class PromptCard:
    """A card with its question and buttons."""

    id: str
    question: str
    for_all: str
    until: str
    because: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PastPrompt:
    """One line on what was asked, what was answered and what was measured."""

    asked: str
    answered: str
    happened: str


def open_prompt(row: PromptRow, words: Localizer, *, asked_this_week: int) -> PromptCard:
    """The card of a prompt that is not answered yet."""
    return PromptCard(
        id=row.id,
        question=_question(row, words),
        for_all=_for_all(row, words),
        until=words.text("Please answer by %(time)s.", time=words.clock(row.answer_by_slot + 1)),
        because=_because(row, words, asked_this_week=asked_this_week),
    )


def _question(row: PromptRow, words: Localizer) -> str:
    """One sentence for each kind, because an article before the name is different in every language."""
    times = {
        "proposed": _at(row.proposed_slot, row.issued_slot, words),
        "usual": _at(row.usual_slot, row.issued_slot, words),
    }
    questions = {
        "dishwasher": words.text("Could the dishwasher start at %(proposed)s instead of %(usual)s?", **times),
        "washing_machine": words.text("Could the washing machine start at %(proposed)s instead of %(usual)s?", **times),
        "dryer": words.text("Could the dryer start at %(proposed)s instead of %(usual)s?", **times),
        "ev": words.text("Could the electric car start charging at %(proposed)s instead of %(usual)s?", **times),
        "hot_water": words.text("Could the hot water start heating at %(proposed)s instead of %(usual)s?", **times),
    }
    name = appliance_label(row.appliance, words)
    other = words.text("%(appliance)s: could it start at %(proposed)s instead of %(usual)s?", appliance=name, **times)
    return questions.get(row.appliance, other)


def _for_all(row: PromptRow, words: Localizer) -> str:
    """What saying yes does for the street: less energy from the grid, or less load in busy hours."""
    if row.relief_wh >= SHOWN_WH_MIN:
        return words.text("The street would take about %(energy)s less from the grid.", energy=words.kwh(row.relief_wh))
    return words.text("It avoids the hours in which the street takes most from the grid.")


def _at(slot: Slot, issued: Slot, words: Localizer) -> str:
    """'13:15', with the day if it is not the day of the prompt."""
    if day_of(slot, words.tz) == day_of(issued, words.tz):
        return words.clock(slot)
    return f"{words.clock(slot)} ({words.short_day(day_of(slot, words.tz))})"


def _because(row: PromptRow, words: Localizer, *, asked_this_week: int) -> tuple[str, ...]:
    """All reasons for the prompt: forecast, the household's own entries, how often it was asked, its consent."""
    known = dict(row.reasons)
    sentences = _forecast_reasons(row, words, known)
    sentences.append(
        words.plural(
            "According to your entries, one run takes %(energy)s and %(n)s minute.",
            "According to your entries, one run takes %(energy)s and %(n)s minutes.",
            row.duration_slots * SLOT_S // 60,
            energy=words.kwh(row.energy_wh),
        )
    )
    sentences.append(
        words.plural(
            "You were asked %(n)s time in the last seven days.",
            "You were asked %(n)s times in the last seven days.",
            asked_this_week,
        )
    )
    sentences += _limits(known, words)
    sentences.append(words.text("Your home's consent allows us to propose better hours for appliances."))
    return tuple(sentences)


def _forecast_reasons(row: PromptRow, words: Localizer, known: Mapping[str, int]) -> list[str]:
    """What the forecast expects: our own power at the proposed time, busy hours at the usual time, or both."""
    time = words.clock(known.get("forecast_issued_slot", row.issued_slot))
    spare_wh, sentences = known.get("expected_surplus_wh", 0), []
    if spare_wh >= SHOWN_WH_MIN:
        sentences.append(words.text("The forecast made at %(time)s expects more power of our own then.", time=time))
        sentences.append(words.text("About %(energy)s would be spare in those hours.", energy=words.kwh(spare_wh)))
    else:
        sentences.append(words.text("The forecast made at %(time)s expects less load then.", time=time))
    if known.get("peak_risk_per_100", 0) > 0:
        share = words.percent(known["peak_risk_per_100"] / 100)
        sentences.append(
            words.text(
                "In %(share)s of the forecast's cases the usual time is in the street's busiest hours.",
                share=share,
            )
        )
    return sentences


def _limits(known: Mapping[str, int], words: Localizer) -> list[str]:
    """The co-op's limits for prompts, as they were when this prompt was sent."""
    limits = []
    if "asks_per_week_max" in known:
        most = known["asks_per_week_max"]
        limits.append(
            words.plural("The co-op allows %(n)s prompt a week.", "The co-op allows %(n)s prompts a week.", most)
        )
    if "asks_per_day_max" in known:
        most = known["asks_per_day_max"]
        limits.append(
            words.plural("The co-op allows %(n)s prompt a day.", "The co-op allows %(n)s prompts a day.", most)
        )
    if "relief_min_wh" in known:
        least = words.kwh(known["relief_min_wh"])
        limits.append(words.text("We only ask if it saves the street at least %(energy)s.", energy=least))
    return limits


def past_prompt(row: PromptRow, words: Localizer, *, now_s: float) -> PastPrompt:
    """One past prompt."""
    appliance = appliance_label(row.appliance, words)
    asked = words.text(
        "%(moment)s, %(appliance)s: %(proposed)s instead of %(usual)s",
        moment=words.moment(start_of(row.issued_slot)),
        appliance=appliance,
        proposed=words.clock(row.proposed_slot),
        usual=words.clock(row.usual_slot),
    )
    answers = {
        "yes": words.text("You said yes."),
        "no": words.text("You said not today."),
        "never_appliance": words.text("You asked us not to ask about it again."),
    }
    answered = answers.get(row.answer or "", words.text("You did not answer."))
    return PastPrompt(asked, answered, _happened(row, words, now_s=now_s))


def _happened(row: PromptRow, words: Localizer, *, now_s: float) -> str:
    if row.answer != "yes":
        return words.text("Nothing changed.")
    if row.measured_wh is not None:
        return _measured(row.measured_wh, row.measured_uncertainty_wh, words)
    over = max(row.usual_slot, row.proposed_slot) + row.duration_slots
    if now_s < start_of(over):
        return words.text("The run is still ahead.")
    return words.text("The effect is measured the following night.")


def _measured(moved_wh: int, uncertainty_wh: int | None, words: Localizer) -> str:
    """What the meter shows. A shift within the home's usual ups and downs is not called moved."""
    if moved_wh <= 0:
        return words.text("The meter shows no shift.")
    energy = words.kwh(moved_wh)
    if uncertainty_wh is None:
        return words.text(
            "Your meter shows %(energy)s more at the proposed time; how sure that is was not stored.", energy=energy
        )
    if moved_wh <= uncertainty_wh:
        return words.text(
            "Your meter shows %(energy)s more at the proposed time. That is within your home's usual ups and downs: one"
            " prompt alone proves nothing.",
            energy=energy,
        )
    low, high = words.kwh(moved_wh - uncertainty_wh), words.kwh(moved_wh + uncertainty_wh)
    return words.text(
        "According to your meter, %(energy)s moved to another time (between %(low)s and %(high)s).",
        energy=energy,
        low=low,
        high=high,
    )


def asked_in_week(rows: Sequence[PromptRow], *, now: Slot) -> int:
    """How many prompts were sent in the last seven days."""
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
        "measured_uncertainty_wh": row.measured_uncertainty_wh,
    }
