"""What the page of the co-op's rules shows: each version, and each proposal that nobody has adopted."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from hub.storage.records import Member
from hub.storage.rule_records import RuleProposal, StoredRule, StoredRulebook
from hub.web.frame.translation import Localizer
from hub.web.views.settlement.statement import rule_lines

HOUR: Final = 4
"""Quarter hours that are shared as one."""


@dataclass(frozen=True, slots=True)
class RuleCard:
    """One version or proposal: its heading, who agreed on it and when, and what it says."""

    heading: str
    history: str
    lines: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class RulebookPage:
    """The proposals first, because members may want to speak up; then the versions, the newest first."""

    proposals: tuple[RuleCard, ...]
    versions: tuple[RuleCard, ...]


def rulebook_page(book: StoredRulebook, words: Localizer, *, members: Sequence[Member]) -> RulebookPage:
    """The page for a member."""
    names = {member.id: member.name for member in members}
    return RulebookPage(
        tuple(_proposal(each, words, names, is_stale=book.is_stale(each)) for each in reversed(book.waiting)),
        tuple(
            _version(rule, words, names, is_in_force=rule == book.in_force)
            for rule in reversed(book.rules)
            if rule.is_adopted
        ),
    )


def _version(rule: StoredRule, words: Localizer, names: Mapping[str, str], *, is_in_force: bool) -> RuleCard:
    day = "" if not rule.adopted_by else words.full_day(date.fromisoformat(rule.valid_from_day))
    if not day:
        heading = words.text("First version, in force today") if is_in_force else words.text("First version")
    elif is_in_force:
        heading = words.text("In force today, since %(day)s", day=day)
    else:
        heading = words.text("From %(day)s", day=day)
    if not rule.adopted_by or rule.proposal is None:
        history = words.text("The co-op began with it.")
    else:
        new = rule.proposal.content
        history = words.text(
            "Proposed by %(first)s on %(proposed)s, adopted by %(second)s on %(adopted)s.",
            first=names.get(new.by, new.by),
            proposed=_local_day(new.at, words),
            second=names.get(rule.adopted_by, rule.adopted_by),
            adopted=_local_day(rule.adopted_at, words),
        )
    return RuleCard(heading, history, tuple(_lines(rule.canonical, words)))


def _proposal(proposal: RuleProposal, words: Localizer, names: Mapping[str, str], *, is_stale: bool) -> RuleCard:
    new = proposal.content
    said = words.text("Proposed by %(name)s on %(day)s.", name=names.get(new.by, new.by), day=_local_day(new.at, words))
    state = (
        words.text("It can no longer be adopted.")
        if is_stale
        else words.text("It needs a second member of the board to come into force.")
    )
    day = words.full_day(date.fromisoformat(new.valid_from_day))
    heading = words.text("Proposal %(number)s, from %(day)s", number=proposal.id, day=day)
    return RuleCard(heading, words.sentences(said, state), tuple(_lines(new.canonical, words)))


def _lines(canonical: bytes, words: Localizer) -> Iterator[tuple[str, str]]:
    rule: dict[str, Any] = json.loads(canonical)
    yield from rule_lines(rule, words)
    yield words.text("Shared by"), words.text("hour") if rule["aggregate"] == HOUR else words.text("quarter hour")
    if (time := rule.get("netting", "none")) != "none":
        yield words.text("Taken and given netted within"), _netting_times(words).get(time, time)
    for time in sorted({*rule.get("netting_of", {}).values()}):
        count = sum(each == time for each in rule["netting_of"].values())
        within = _netting_times(words).get(time, words.text("not netted"))
        yield (
            words.text("Netted otherwise"),
            words.plural("%(n)s home: %(time)s", "%(n)s homes: %(time)s", count, time=within),
        )
    if derived := rule.get("derived"):
        yield (
            words.text("What agents calculate counts"),
            words.text(
                "if it is off by at most %(energy)s Wh or %(percent)s %%",
                energy=words.number(derived["within_wh"]),
                percent=words.number(derived["within_percent"]),
            ),
        )
    method = rule.get("estimate", {"method": "none"})["method"]
    yield words.text("Missing readings"), _estimates(words).get(method, method)
    way = rule.get("part_month_fee", "full_month")
    yield words.text("Fee for part of a month"), _part_month_fees(words).get(way, way)
    if power_w := rule.get("connection_w", 0):
        yield words.text("Most power of a home's connection"), f"{words.number(power_w)} W"
    if rule["params"] or rule["participation_percent"]:
        yield words.text("Shares, groups and percentages"), words.text("in the file below")


def _netting_times(words: Localizer) -> Mapping[str, str]:
    return {"15min": words.text("quarter hour"), "60min": words.text("hour")}


def _estimates(words: Localizer) -> Mapping[str, str]:
    return {
        "none": words.text("stay missing"),
        "straight_line": words.text("estimated by a straight line"),
        "same_time_of_week": words.text("estimated from the same time of the week"),
    }


def _part_month_fees(words: Localizer) -> Mapping[str, str]:
    return {
        "by_day": words.text("counted by day"),
        "full_month": words.text("the whole fee"),
        "first_full_month": words.text("none before the first full month"),
    }


def _local_day(at: int, words: Localizer) -> str:
    return words.full_day(words.local(at).date())
