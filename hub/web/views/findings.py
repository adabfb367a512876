"""Findings as pages show them: to the member whose readings they concern, and to the board, which decides."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hub.core.homes.meter_trust import LATE_NOTICE, OTHER_NETTING, UNPROVEN_METER
from hub.storage.finding_records import FindingDecision, FindingRow
from hub.storage.records import Home, Member
from hub.web.frame.translation import Localizer
from protocols.quantities import Gap, Measure
from protocols.slots import start_of


@dataclass(frozen=True, slots=True)
class FindingLine:
    """One finding in words. `verdicts` are (value, button) pairs for this reader; `after` is the last decision's id."""

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
    """Findings on hold first, then other undecided ones, then the rest; newest first within each group."""
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
    """The kind of finding."""
    return {
        "gap": words.text("Readings are missing"),
        "frozen": words.text("The grid meter did not move"),
        "frozen_value": words.text("A counter kept giving the same value"),
        "impossible": words.text("More energy than possible"),
        "out_of_proportion": words.text("A day out of all proportion"),
        "scale_change": words.text("The grid meter counts more than before"),
        "night_sun": words.text("Solar energy at night"),
        "unbalanced": words.text("More energy given than available"),
        "register": words.text("Counter and power do not agree"),
        "odd_yield": words.text("The panels' yield differs from the neighbours'"),
        OTHER_NETTING: words.text("Netting differs from the rulebook"),
        UNPROVEN_METER: words.text("A meter whose device map is not proven"),
        LATE_NOTICE: words.text("The home told late what its grid meter is"),
        "clock_shift": words.text("The clock may be wrong"),
    }.get(row.found.code, row.found.code)


def when_words(row: FindingRow, words: Localizer) -> str:
    """The period of the finding."""
    first, count = row.found.first_slot, row.found.slots
    return words.text(
        "%(start)s to %(end)s",
        start=words.moment(start_of(first)),
        end=words.moment(start_of(first + count)),
    )


def explain(row: FindingRow, words: Localizer) -> str:
    """What was found, in one sentence that blames nobody."""
    numbers, code = dict(row.found.numbers), row.found.code
    label = "" if row.found.measure is None else measure_words(row.found.measure, words)
    energy, most = words.number(numbers.get("energy_wh", 0)), words.number(numbers.get("most_wh", 0))
    if code == "gap":
        return _gap(numbers, words)
    if code == LATE_NOTICE:
        return words.plural(
            "What the home's agent told of its meter changes what counts of %(n)s day before; it is settled again.",
            "What the home's agent told of its meter changes what counts of %(n)s days before; they are settled again.",
            numbers.get("days", 1),
        )
    sentences = {
        "frozen": words.text(
            "The meter counted nothing all day in either direction, but a home with a running agent draws power."
        ),
        "frozen_value": words.text("%(what)s: %(energy)s Wh in every quarter hour.", what=label, energy=energy),
        "impossible": words.text(
            "%(what)s: %(energy)s Wh in a quarter hour, but at most %(most)s Wh is possible.",
            what=label,
            energy=energy,
            most=most,
        ),
        "out_of_proportion": _out_of_proportion(numbers, words),
        "scale_change": words.plural(
            "For %(n)s day the meter has counted about %(percent)s %% of what is usual for this home. A changed"
            " factor or transformer ratio does this, and so do guests or a new appliance.",
            "For %(n)s days the meter has counted about %(percent)s %% of what is usual for this home. A changed"
            " factor or transformer ratio does this, and so do guests or a new appliance.",
            numbers.get("days", 3),
            percent=words.number(numbers.get("percent_of_usual", 0)),
        ),
        "night_sun": words.text(
            "The panels reported %(energy)s Wh at night; a battery on their inverter that is not read can cause this.",
            energy=energy,
        ),
        "unbalanced": words.text(
            "The home gave up to %(energy)s Wh more than it had. A device may be unknown, or a sign may be reversed.",
            energy=words.number(numbers.get("excess_wh", 0)),
        ),
        "register": words.text(
            "%(what)s: the counter shows %(counter)s Wh, but the measured power adds up to %(power)s Wh.",
            what=label,
            counter=words.number(numbers.get("counter_wh", 0)),
            power=words.number(numbers.get("power_wh", 0)),
        ),
        UNPROVEN_METER: _unproven(numbers, words),
        OTHER_NETTING: words.text(
            "The home says that its grid operator nets within %(home)s min, and the rulebook says %(rule)s min (0: not"
            " at all). Ask which is right: one of the two has to change.",
            home=words.number(numbers.get("home_min", 0)),
            rule=words.number(numbers.get("rule_min", 0)),
        ),
        "odd_yield": words.text(
            "For their size, the panels made %(percent)s %% of what is usual here. Snow, shade or a fuse may be the"
            " cause.",
            percent=words.number(numbers.get("percent_of_usual", 0)),
        ),
        "clock_shift": words.plural(
            "Compared with the sun, the clock is %(n)s minute off.",
            "Compared with the sun, the clock is %(n)s minutes off.",
            abs(numbers.get("minutes", 0)),
        ),
    }
    return sentences.get(code, row.found.sentence)


def _unproven(numbers: Mapping[str, int], words: Localizer) -> str:
    if factor := numbers.get("factor_millionths"):
        return words.text(
            "The household multiplies all that its grid meter shows by %(factor)s. Its readings count only once a"
            " member of the board accepts it: compare them with the legal meter's display, and the factor with the"
            " transformers' plate.",
            factor=f"{factor / 1_000_000:.6g}",
        )
    return words.text(
        "The grid meter is read with a device map that is not proven yet. Its readings count only once a member of"
        " the board accepts it: compare them with the legal meter's display first."
    )


def _out_of_proportion(numbers: Mapping[str, int], words: Localizer) -> str:
    if slots := numbers.get("impossible"):
        return words.text(
            "The whole day is held because %(slots)s quarter hours are more than the connection carries.",
            slots=words.number(slots),
        )
    return words.text(
        "%(energy)s Wh on one day is far more than the home ever had, and far more than any neighbour had that day.",
        energy=words.number(numbers.get("energy_wh", 0)),
    )


def _gap(numbers: Mapping[str, int], words: Localizer) -> str:
    reason = {
        Gap.DEVICE_SILENT: words.text("The meter did not answer."),
        Gap.COUNTER_RESET: words.text("The meter's counter restarted."),
        Gap.IMPLAUSIBLE: words.text("The meter gave implausible values."),
        Gap.AGENT_OFF: words.text("The agent in the home was not running."),
        Gap.CLOCK_UNTRUSTED: words.text("The agent did not know the time."),
        Gap.DEVICE_REFUSED: words.text("The meter refused to answer."),
        Gap.NEVER_ARRIVED: words.text("Nothing has arrived from the home yet."),
    }.get(Gap(numbers.get("reason", 0)), words.text("The meter's counter did not cover the whole quarter hour."))
    count = numbers.get("missing", 0)
    missing = words.plural("%(n)s quarter hour is missing.", "%(n)s quarter hours are missing.", count)
    return words.sentences(missing, reason)


def measure_words(measure: Measure, words: Localizer) -> str:
    """A measure's name."""
    return {
        Measure.GRID_IMPORT: words.text("Drawn from the grid"),
        Measure.GRID_EXPORT: words.text("Fed into the grid"),
        Measure.PV_PRODUCTION: words.text("Produced by the panels"),
        Measure.WIND_PRODUCTION: words.text("Produced by the wind turbine"),
        Measure.BATTERY_CHARGE: words.text("Charged into the battery"),
        Measure.BATTERY_DISCHARGE: words.text("Taken from the battery"),
        Measure.SUBMETER: words.text("Used at the sub-meter"),
    }[measure]


def _meanwhile(row: FindingRow, words: Localizer) -> str:
    """What happens to the credits in the meantime."""
    if row.found.code == "gap" and row.closed is None:
        return words.text(
            "Without readings these quarter hours cannot be shared. If the readings still arrive, they count"
            " automatically."
        )
    if row.is_waiting:
        return words.text(
            "The readings are kept, but the credits are on hold. Until the board decides, these quarter hours do not"
            " count."
        )
    if row.found.severity == "hold" or row.decisions or row.closed is not None or row.found.code == LATE_NOTICE:
        return ""
    return words.text("Your credits are not affected.")


def _state(row: FindingRow, words: Localizer) -> str:
    if row.closed is not None:
        return words.text("closed: later readings corrected it")
    if row.decisions:
        return {
            "accept": words.text("accepted: the reading counts"),
            "reject": words.text("rejected: the reading does not count"),
            "estimate": words.text("estimated: the rule replaces the reading"),
        }[row.decisions[-1].verdict]
    if row.is_waiting:
        return words.text("on hold until the board decides")
    return words.text("no decision needed") if row.found.code == "gap" else words.text("not decided yet")


def reason_needed(most: int, words: Localizer) -> str:
    """What to tell someone whose decision or objection has no usable reason."""
    return words.plural("Give a reason of at most %(n)s character.", "Give a reason of at most %(n)s characters.", most)


def _decision(decision: FindingDecision, names: Mapping[str, str], words: Localizer) -> str:
    parts = {"who": names.get(decision.board_member, decision.board_member), "when": words.moment(decision.decided_at)}
    sentence = {
        "accept": words.text("%(who)s accepted it on %(when)s: %(why)s", why=decision.reason, **parts),
        "reject": words.text("%(who)s rejected it on %(when)s: %(why)s", why=decision.reason, **parts),
        "estimate": words.text("%(who)s chose an estimate on %(when)s: %(why)s", why=decision.reason, **parts),
    }
    return sentence[decision.verdict]


def _buttons(words: Localizer) -> dict[str, str]:
    return {
        "accept": words.text("Accept: it counts"),
        "reject": words.text("Reject: it does not count"),
        "estimate": words.text("Estimate it by the rule"),
    }
