"""What the board sees of homes and agents: problems by severity, which readings arrived. No home's consumption."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from hub.health.facts import SILENT_AFTER_S
from hub.storage.fleet_records import FleetAsked, FleetRow, FleetSums, FormerAgent
from hub.storage.records import RefusalCount
from hub.web.frame.charts import draw_presence
from hub.web.frame.translation import Localizer
from hub.web.views.home.own_day import device_state_words, gap_words
from hub.web.views.home.several_agents import ELSEWHERE, ELSEWHERE_SHOWN_S, by_agent, is_elsewhere
from protocols.quantities import Gap
from protocols.slots import SLOT_S, SLOTS_PER_UTC_DAY, Slot, slot_of, start_of
from protocols.wire.refusal_reasons import RefusalReason

FORMER_SHOWN_S: Final = 30 * 86_400


CLOCK_OFF_MAX_S: Final = 120
"""A clock this close to the hub's moves no energy between quarter hours that matters."""


@dataclass(frozen=True, slots=True)
class FleetAlert:
    """A problem that a person should see. `harm` is its severity: 0 is the worst."""

    harm: int
    home: str
    what: str
    do: str


@dataclass(frozen=True, slots=True)
class FleetLine:
    """One home: its last contact and its last 24 hours as a strip."""

    home: str
    agent: str
    contact: str
    is_silent: bool
    messages: str
    strip: Markup
    devices: tuple[tuple[str, str, bool], ...]


@dataclass(frozen=True, slots=True)
class FleetPage:
    headline: str
    lede: str
    findings: tuple[FleetAlert, ...]
    lines: tuple[FleetLine, ...]
    refusals: tuple[tuple[str, str, str, str, str], ...]
    axis: tuple[str, ...]


def fleet_slots(now_s: float) -> range:
    """The 24 hours that the strips show, up to the newest complete slot."""
    now = slot_of(now_s)
    return range(now - SLOTS_PER_UTC_DAY, now)


def fleet_asked(text: str, *, now_s: float) -> FleetAsked:
    """The homes with this text in a name, in the order of their alerts."""
    return FleetAsked(
        text=text,
        left_by=start_of(fleet_slots(now_s).start),
        silent_before=_silent_before(now_s),
        clock_off_s=CLOCK_OFF_MAX_S,
        former_since=int(now_s) - FORMER_SHOWN_S,
        elsewhere_since=int(now_s) - ELSEWHERE_SHOWN_S,
    )


def fleet_page(
    rows: Sequence[FleetRow], refusals: Sequence[RefusalCount], words: Localizer, *, now_s: float, sums: FleetSums
) -> FleetPage:
    """The page about the last 24 hours of these homes, under the sums of all; each agent of a home has a line."""
    rows = by_agent(rows)
    findings = [finding for row in rows for finding in _home_findings(row, words, now_s=now_s)]
    names = {row.agent: row.home_name for row in rows if row.agent}
    # Refusals of former agents appear with their homes, with what to do about them.
    former = {agent.agent: row.home_name for row in rows for agent in row.former}
    refused = [each for each in refusals if each.agent not in former and _is_shown(each, now_s=now_s)]
    findings += [_refusal_finding(refusal, names, words) for refusal in refused]
    findings.sort(key=lambda finding: (finding.harm, finding.home, finding.what))
    headline = (
        words.plural("%(n)s home is silent", "%(n)s homes are silent", sums.silent)
        if sums.silent
        else words.plural("The only home is connected", "All %(n)s homes are connected", sums.homes)
        if sums.homes
        else words.text("No homes yet")
    )
    share = words.percent(sums.present / (sums.homes * SLOTS_PER_UTC_DAY) if sums.homes else 0)
    lede = words.text("%(share)s of all quarter hours of the last 24 hours have arrived.", share=share)
    first = fleet_slots(now_s).start
    return FleetPage(
        headline=headline,
        lede=lede,
        findings=tuple(findings),
        lines=tuple(_line(row, words, now_s=now_s) for row in rows),
        refusals=tuple(_refusal(refusal, former | names, words) for refusal in refusals),
        axis=tuple(words.clock(first + quarter * SLOTS_PER_UTC_DAY // 4) for quarter in range(5)),
    )


def _silent_before(now_s: float) -> Slot:
    """A home whose newest slot is before this one is silent."""
    return math.ceil((now_s - SILENT_AFTER_S) / SLOT_S) - 1


def _is_silent(row: FleetRow, *, now_s: float) -> bool:
    return row.last_slot is None or row.last_slot < _silent_before(now_s)


def _home_findings(row: FleetRow, words: Localizer, *, now_s: float) -> list[FleetAlert]:
    found = []
    if row.agent is None:
        found.append(
            FleetAlert(
                1, row.home_name, words.text("No agent is enrolled."), words.text("Send the household an invitation.")
            )
        )
    elif row.last_slot is None:
        found.append(
            FleetAlert(
                0,
                row.home_name,
                words.text("It has never sent a reading."),
                words.text("Check that the agent is running."),
            )
        )
    elif _is_silent(row, now_s=now_s):
        since = words.moment((row.last_slot + 1) * SLOT_S)
        found.append(
            FleetAlert(
                0,
                row.home_name,
                words.text("It has been silent since %(moment)s.", moment=since),
                words.text("Its readings are kept in the home. Check the agent's power and connection."),
            )
        )
    found += _cut_off_findings(row, words)
    found += _clock_findings(row, words)
    found += [_former_finding(agent, row, words) for agent in row.former if _is_news(agent, now_s=now_s)]
    for device in row.devices:
        if device.state in ("silent", "refusing"):
            since = words.moment(device.reported_at - device.age_s)
            found.append(
                FleetAlert(
                    2,
                    row.home_name,
                    words.text(
                        "The device %(device)s has not answered since %(moment)s.", device=device.name, moment=since
                    ),
                    words.text("Check the device's cable and address."),
                )
            )
    gaps = {gap.label: gap for gap in Gap}
    for label, count in row.gaps:
        why = gap_words(gaps[label], words) if label in gaps else label
        what = words.plural("%(n)s quarter hour: %(why)s.", "%(n)s quarter hours: %(why)s.", count, why=why)
        found.append(FleetAlert(4, row.home_name, what, words.text("These quarter hours are settled as provisional.")))
    return found


def _cut_off_findings(row: FleetRow, words: Localizer) -> list[FleetAlert]:
    if row.cut_off is None:
        return []
    what = words.text(
        "The agent %(agent)s was cut off at %(moment)s: it sent %(n)s messages in vain within a minute.",
        agent=row.cut_off.agent,
        moment=words.moment(row.cut_off.at),
        n=words.number(row.cut_off.messages),
    )
    todo = words.text("Nothing from it is read. Find out why, then let it in again: commonwatt-hub let-in.")
    return [FleetAlert(0, row.home_name, what, todo)]


def _clock_findings(row: FleetRow, words: Localizer) -> list[FleetAlert]:
    """What the agent said of its clock, if it is wrong or the agent does not go by it."""
    clock = row.clock
    if clock is None or (clock.state != "held" and abs(clock.ahead_s) <= CLOCK_OFF_MAX_S):
        return []
    ahead_s, when = clock.ahead_s, words.moment(clock.told_at)
    minutes, days = abs(ahead_s) // 60, abs(ahead_s) // 86400
    if abs(ahead_s) <= CLOCK_OFF_MAX_S:
        what = words.text("The agent did not trust its own clock yet (%(moment)s).", moment=when)
    elif days >= 2 and ahead_s > 0:
        what = words.plural("The agent's clock was %(n)s day ahead.", "The agent's clock was %(n)s days ahead.", days)
    elif days >= 2:
        what = words.plural("The agent's clock was %(n)s day behind.", "The agent's clock was %(n)s days behind.", days)
    elif ahead_s > 0:
        what = words.plural(
            "The agent's clock was %(n)s minute ahead.", "The agent's clock was %(n)s minutes ahead.", minutes
        )
    else:
        what = words.plural(
            "The agent's clock was %(n)s minute behind.", "The agent's clock was %(n)s minutes behind.", minutes
        )
    todo = words.text("Its readings wait, or follow the hub's time. Set the time of the agent's computer.")
    return [FleetAlert(1, row.home_name, what, todo)]


def _is_news(agent: FormerAgent, *, now_s: float) -> bool:
    return now_s - max(agent.revoked_at, agent.refused_at or 0) < FORMER_SHOWN_S


def _former_finding(agent: FormerAgent, row: FleetRow, words: Localizer) -> FleetAlert:
    """A replaced agent; worse if it still sends, because then somebody at home may believe that it counts."""
    since = words.moment(agent.revoked_at)
    if agent.refused_at is not None and agent.refused_at >= agent.revoked_at:
        what = words.text(
            "The agent %(agent)s was replaced or revoked on %(since)s, but still sends: last at %(moment)s.",
            agent=agent.agent,
            since=since,
            moment=words.moment(agent.refused_at),
        )
        return FleetAlert(1, row.home_name, what, words.text("It has been told. Switch it off, or ask who runs it."))
    what = words.text("The agent %(agent)s was replaced or revoked on %(since)s.", agent=agent.agent, since=since)
    if row.agent is None or agent.seat != row.seat:
        return FleetAlert(4, row.home_name, what, words.text("If the co-op did not intend this, find out why."))
    todo = words.text("%(agent)s took its place. If the household does not know of it, find out why.", agent=row.agent)
    return FleetAlert(4, row.home_name, what, todo)


def _is_shown(refusal: RefusalCount, *, now_s: float) -> bool:
    return refusal.reason != ELSEWHERE or is_elsewhere(refusal, now_s=now_s)


def _refusal_finding(refusal: RefusalCount, names: dict[str, str], words: Localizer) -> FleetAlert:
    if refusal.reason == ELSEWHERE:
        what = words.text("It sends amounts of a meter that another agent of the home brings. They do not count.")
        todo = words.text("Put both devices into one agent, or shut out the agent that is no longer needed.")
        return FleetAlert(3, names.get(refusal.agent, refusal.agent), what, todo)
    what = words.plural(
        "%(n)s message was refused: %(reason)s.",
        "%(n)s messages were refused: %(reason)s.",
        refusal.count,
        reason=refusal_words(refusal.reason, words),
    )
    known = names.get(refusal.agent)
    home = known if known is not None else words.text("Unknown sender %(agent)s", agent=refusal.agent)
    return FleetAlert(3 if known is None else 2, home, what, words.text("Nothing from them was stored."))


def refusal_words(reason: str, words: Localizer) -> str:
    """A refusal code in words; an unknown code is shown as it is, but with spaces for underscores."""
    known: dict[str, str] = {
        RefusalReason.OVERSIZED: words.text("it was too large"),
        RefusalReason.GARBAGE: words.text("it could not be read"),
        RefusalReason.UNKNOWN_AGENT: words.text("the sender is not enrolled"),
        RefusalReason.FOREIGN_TOPIC: words.text("it came on another sender's topic"),
        RefusalReason.WRONG_COOP: words.text("it was meant for another co-op"),
        RefusalReason.BAD_SIGNATURE: words.text("the signature is wrong"),
        RefusalReason.REPLAYED: words.text("it was sent before"),
        RefusalReason.OUT_OF_ORDER: words.text("it came out of order"),
        RefusalReason.BROKEN_CHAIN: words.text("it does not follow the one before"),
        RefusalReason.CLOCK_WINDOW: words.text("its time cannot be right"),
        RefusalReason.OUTSIDE_CONSENT: words.text("the home's consent does not allow it"),
        RefusalReason.REVOKED: words.text("the sender's key has been revoked"),
        RefusalReason.EXPIRED: words.text("it came too late, or after a later answer"),
        "too_many": words.text("the sender sent too many at a time"),
        "day_limit": words.text("the sender sent more than one home may send in a day"),
        "cut_off": words.text("the sender was cut off"),
        ELSEWHERE: words.text("another agent of the home brings it"),
    }
    return known.get(reason, reason.replace("_", " "))


def _refusal(refusal: RefusalCount, names: dict[str, str], words: Localizer) -> tuple[str, str, str, str, str]:
    return (
        names.get(refusal.agent) or refusal.agent,
        refusal_words(refusal.reason, words),
        words.number(refusal.count),
        words.moment(refusal.last_at),
        refusal.detail,
    )


def _line(row: FleetRow, words: Localizer, *, now_s: float) -> FleetLine:
    contact = words.text("never")
    if row.last_slot is not None:
        contact = words.moment((row.last_slot + 1) * SLOT_S)
    return FleetLine(
        home=row.home_name,
        agent=row.agent or words.text("none"),
        contact=contact,
        is_silent=_is_silent(row, now_s=now_s),
        messages=words.plural("%(n)s message", "%(n)s messages", row.stored_messages),
        strip=_strip(row, words),
        devices=tuple(
            (device.name, device_state_words(device.state, words), device.state in ("ok", "asleep"))
            for device in row.devices
        ),
    )


def _strip(row: FleetRow, words: Localizer) -> Markup:
    counts = {state: row.presence.count(state) for state in ("present", "derived", "partial", "missing", "waiting")}
    estimated = counts["derived"] + counts["partial"]
    sentence = words.text(
        "Quarter hours present: %(present)s, estimated: %(estimated)s, missing: %(missing)s, not arrived: %(waiting)s.",
        present=words.number(counts["present"]),
        estimated=words.number(estimated),
        missing=words.number(counts["missing"]),
        waiting=words.number(counts["waiting"]),
    )
    title = words.text("The last 24 hours of %(home)s", home=row.home_name)
    mark = f"strip-{row.home}" if row.is_first else f"strip-{row.home}-{row.seat}"
    return draw_presence(mark, title, states=row.presence, sentence=sentence)


def fleet_json(rows: Sequence[FleetRow], refusals: Sequence[RefusalCount], *, slots: range) -> dict[str, object]:
    """The fleet for programs."""
    return {
        "first_slot": slots.start,
        "slots": len(slots),
        "homes": [
            {
                "home": row.home,
                "agent": row.agent,
                "last_slot": row.last_slot,
                "last_received_at": row.last_received_at,
                "epoch": row.epoch,
                "seq": row.seq,
                "stored_messages": row.stored_messages,
                "presence": list(row.presence),
                "gaps": dict(row.gaps),
                "former_agents": [
                    {"agent": a.agent, "revoked_at": a.revoked_at, "last_refused_at": a.refused_at} for a in row.former
                ],
                "clock": {"told_at": c.told_at, "ahead_s": c.ahead_s, "state": c.state} if (c := row.clock) else None,
                "cut_off": {"at": cut.at, "messages": cut.messages} if (cut := row.cut_off) else None,
                "devices": [
                    {"name": d.name, "state": d.state, "age_s": d.age_s, "reported_at": d.reported_at}
                    for d in row.devices
                ],
            }
            for row in rows
        ],
        "refusals": [
            {"agent": r.agent, "reason": r.reason, "count": r.count, "last_at": r.last_at, "detail": r.detail}
            for r in refusals
        ],
    }
