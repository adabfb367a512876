"""How the board changes the rulebook: one member proposes a new version, another adopts it. The store keeps who did."""

from collections.abc import Mapping
from datetime import date
from typing import Protocol

from hub.books.days import SettlementStores
from hub.books.stored_rules import read_rule
from hub.core.rules.input_checks import RejectedInputError
from hub.core.rules.preset_form import Preset
from hub.core.rules.rule_draft import draft_rule
from hub.core.rules.rulebook import check_rule, sort_members
from hub.storage.rule_records import NewProposal, RuleAdoption, RuleStore
from protocols.errors import RequestError
from protocols.slots import slots_of_day


class RulebookStores(SettlementStores, RuleStore, Protocol):
    """The parts of the store that a change of the rulebook reads and writes."""


async def propose_rule(
    store: RulebookStores,
    changes: Mapping[str, object],
    *,
    preset: Preset | None,
    first_day: date,
    source: str,
    by: str,
    at: int,
) -> int:
    """Propose the rule of that day with these changes; returns the proposal's number.

    Raises: RequestError or StoreError; nothing is then written.
    """
    day = first_day.isoformat()
    held, canonical = await store.rule_on(day)
    try:
        rule = draft_rule(read_rule(canonical), changes, members=await _members(store, first_day), preset=preset)
    except RejectedInputError as refusal:
        raise RequestError(str(refusal)) from None
    if rule.version() == held:
        raise RequestError(f"this is the rule that holds on {day} already: nothing to propose")
    return await store.propose_rule(NewProposal(rule.version(), rule.canonical(), day, source, by, at))


async def adopt_rule(store: RulebookStores, proposal: int, *, by: str, at: int) -> None:
    """Adopt a proposal that still fits the members. Raises: RequestError or StoreError; nothing is then written."""
    found = next((each.content for each in await store.rule_proposals() if each.id == proposal), None)
    if found is not None:
        members = await _members(store, date.fromisoformat(found.valid_from_day))
        try:
            check_rule(read_rule(found.canonical), sort_members(members))
        except RejectedInputError as refusal:
            raise RequestError(f"proposal {proposal} no longer fits the members: {refusal}") from None
    await store.adopt_rule(proposal, adopted=RuleAdoption(by, at))


async def _members(store: SettlementStores, day: date) -> tuple[str, ...]:
    coop = await store.coop()
    members, _ = await store.settlement_members(slots=slots_of_day(day, coop.tz))
    if not members:
        raise RequestError(
            "no member has a home yet: invite members, two of them for the board, before the rule changes"
        )
    return members
