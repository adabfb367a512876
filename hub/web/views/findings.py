"""Findings as pages show them: to the member whose readings they are of, and to the board that decides."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hub.storage.finding_records import FindingDecision, FindingRow
from hub.storage.records import Home, Member
from hub.web.frame.translation import Localizer
from protocols.quantities import Gap, Measure
from protocols.slots import start_of


@dataclass(frozen=True, slots=True)
class FindingLine:
    """One finding in words. `verdicts` are (value, button) of what the reader may decide; `after` the last decision."""

    id: int
    what: str
    when: str
    explained: str
    meanwhile: str
    is_fine: bool
    state: str
    decisions: tuple[str, ...]
    home: str
    verdicts: tuple[tuple[str, str], ...]
    after: int


def finding_lines(
    rows: Sequence[FindingRow],
    words: Localizer,
    *,
    members: Sequence[Member],
    homes: Sequence[Home],
    verdicts: Mapping[int, Sequence[str]] | None = None,
) -> tuple[FindingLine, ...]:
    """What waits first, then what nobody has decided, then the rest; the newest first in each."""
    names = {member.id: member.name for member in members}
    home_names = {home.id: home.name for home in homes}
    ordered = sorted(rows, key=lambda row: (not row.is_waiting, row.closed is not None or bool(row.decisions), -row.id))
    offered = verdicts or {}
    return tuple(_line(row, words, names=names, homes=home_names, offered=offered.get(row.id, ())) for row in ordered)


def _line(
    row: FindingRow, words: Localizer, *, names: Mapping[str, str], homes: Mapping[str, str], offered: Sequence[str]
) -> FindingLine:
    return FindingLine(
        id=row.id,
        what=what_words(row, words),
        when=when_words(row, words),
        explained=explain(row, words),
        meanwhile=_meanwhile(row, words),
        is_fine=not row.is_waiting,
        state=_state(row, words),
        decisions=tuple(_decision(each, names, words) for each in row.decisions),
        home=homes.get(row.found.home, row.found.home),
        verdicts=tuple((verdict, _buttons(words)[verdict]) for verdict in offered),
        after=row.decisions[-1].id if row.decisions else 0,
    )


def what_words(row: FindingRow, words: Localizer) -> str:
    """What kind of finding it is."""
    return {
        "gap": words.say("Readings are missing"),
        "frozen": words.say("The grid meter stood still"),
        "frozen_value": words.say("A counter gave the same value over and over"),
        "impossible": words.say("More energy than is possible"),
        "night_sun": words.say("Solar energy at night"),
        "unbalanced": words.say("More given away than there was"),
        "register": words.say("Counter and power do not agree"),
        "odd_yield": words.say("The panels differ from the neighbours'"),
        "clock_shift": words.say("The clock may be wrong"),
    }.get(row.found.code, row.found.code)


def when_words(row: FindingRow, words: Localizer) -> str:
    """From when to when."""
    first, count = row.found.first_slot, row.found.slots
    return words.say(
        "%(start)s to %(end)s",
        start=words.moment(start_of(first)),
        end=words.moment(start_of(first + count)),
    )


def explain(row: FindingRow, words: Localizer) -> str:
    """What was found, in a sentence that blames nobody."""
    numbers, code = dict(row.found.numbers), row.found.code
    label = "" if row.found.measure is None else measure_words(row.found.measure, words)
    energy, most = words.number(numbers.get("energy_wh", 0)), words.number(numbers.get("most_wh", 0))
    if code == "gap":
        return _gap(numbers, words)
    sentences = {
        "frozen": words.say(
            "Nothing was counted all day in either direction. A home with a running agent draws power."
        ),
        "frozen_value": words.say("%(what)s is %(energy)s Wh in each quarter hour.", what=label, energy=energy),
        "impossible": words.say(
            "%(what)s: %(energy)s Wh in a quarter hour, and %(most)s Wh is the most there can be.",
            what=label,
            energy=energy,
            most=most,
        ),
        "night_sun": words.say("%(energy)s Wh came from the panels in the night.", energy=energy),
        "unbalanced": words.say(
            "The home gave away up to %(energy)s Wh more than it had: a device may be unknown, or a sign turned round.",
            energy=words.number(numbers.get("excess_wh", 0)),
        ),
        "register": words.say(
            "%(what)s: the counter says %(counter)s Wh, its power adds up to %(power)s Wh.",
            what=label,
            counter=words.number(numbers.get("counter_wh", 0)),
            power=words.number(numbers.get("power_wh", 0)),
        ),
        "odd_yield": words.say(
            "For their size the panels made %(percent)s %% of what is usual here. Snow, shade or a fuse can be why.",
            percent=words.number(numbers.get("percent_of_usual", 0)),
        ),
        "clock_shift": words.say(
            "By the sun the clock is %(minutes)s minutes off.", minutes=words.number(abs(numbers.get("minutes", 0)))
        ),
    }
    return sentences.get(code, row.found.sentence)


def _gap(numbers: Mapping[str, int], words: Localizer) -> str:
    reason = {
        Gap.DEVICE_SILENT: words.say("The meter did not answer."),
        Gap.COUNTER_RESET: words.say("The meter's counter started again."),
        Gap.IMPLAUSIBLE: words.say("The meter gave values that cannot be true."),
        Gap.AGENT_OFF: words.say("The agent in the home was not running."),
        Gap.CLOCK_UNTRUSTED: words.say("The agent did not know the time."),
        Gap.DEVICE_REFUSED: words.say("The meter refused to answer."),
        Gap.NEVER_ARRIVED: words.say("Nothing has arrived from the home yet."),
    }.get(Gap(numbers.get("reason", 0)), words.say("The meter's counter gave no whole quarter hour."))
    count = numbers.get("missing", 0)
    missing = words.count("%(n)s quarter hour is missing.", "%(n)s quarter hours are missing.", count)
    return f"{missing} {reason}"


def measure_words(measure: Measure, words: Localizer) -> str:
    """What is measured."""
    return {
        Measure.GRID_IMPORT: words.say("Drawn from the grid"),
        Measure.GRID_EXPORT: words.say("Fed into the grid"),
        Measure.PV_PRODUCTION: words.say("Made by the panels"),
        Measure.WIND_PRODUCTION: words.say("Made by the wind turbine"),
        Measure.BATTERY_CHARGE: words.say("Put into the battery"),
        Measure.BATTERY_DISCHARGE: words.say("Taken from the battery"),
        Measure.SUBMETER: words.say("Used at the sub-meter"),
    }[measure]


def _meanwhile(row: FindingRow, words: Localizer) -> str:
    """What happens to the credits."""
    if row.found.code == "gap" and row.closed is None:
        return words.say(
            "Without a reading these quarter hours cannot be shared. If it still arrives, it counts by itself."
        )
    if row.is_waiting:
        return words.say(
            "The reading is kept. Its credits wait: meanwhile these quarter hours count as if nothing had been read."
        )
    if row.found.severity == "hold" or row.decisions or row.closed is not None:
        return ""
    return words.say("Your credits go on as usual.")


def _state(row: FindingRow, words: Localizer) -> str:
    if row.closed is not None:
        return words.say("closed: readings that came later put it right")
    if row.decisions:
        return {
            "accept": words.say("accepted: the reading counts"),
            "reject": words.say("rejected: the reading does not count"),
            "estimate": words.say("estimated by the rule in its place"),
        }[row.decisions[-1].verdict]
    if row.is_waiting:
        return words.say("waits for the board")
    return words.say("nobody needs to decide") if row.found.code == "gap" else words.say("to be looked at")


def _decision(said: FindingDecision, names: Mapping[str, str], words: Localizer) -> str:
    parts = {"who": names.get(said.board_member, said.board_member), "when": words.moment(said.decided_at)}
    sentence = {
        "accept": words.say("%(who)s accepted it on %(when)s: %(why)s", why=said.reason, **parts),
        "reject": words.say("%(who)s rejected it on %(when)s: %(why)s", why=said.reason, **parts),
        "estimate": words.say("%(who)s had it estimated on %(when)s: %(why)s", why=said.reason, **parts),
    }
    return sentence[said.verdict]


def _buttons(words: Localizer) -> dict[str, str]:
    return {
        "accept": words.say("Accept: it counts"),
        "reject": words.say("Reject: it does not count"),
        "estimate": words.say("Estimate by the rule"),
    }
