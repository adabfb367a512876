"""Checks that each rule was proposed by one person and adopted by another, in time, by the log of rows; and that each
released bundle of device maps is, byte for byte, the maps that were added and proposed.

That both were on the board when they did so is checked with all decisions of people.
"""

import hashlib
import json
from collections.abc import Mapping

from hub.core.rules.rulebook import VERSION_TAG
from hub.storage.contract import AttestationStore, BookStore
from hub.storage.maps.records import MapFile, MapProposal, MapRelease, MapStore
from hub.storage.rule_records import RuleProposal, StoredRule, day_of
from hub.verify.check_result import CheckResult
from hub.verify.people import ADOPTION, PROPOSAL
from hub.verify.rows import RowHistory
from protocols.wire.map_bundles.content import MapBundle, ReleasedMap, encode_bundle, map_digest
from protocols.wire.refusal_reasons import WireError

LATEST_LINE_S = 600
"""A row's line is written in its own transaction; this much later at most, by a clock that was set meanwhile."""


async def check_adoptions(store: AttestationStore, history: RowHistory, found: CheckResult, *, tz: str) -> None:
    """Check every version of the rulebook."""
    before = 0
    for number, rule in enumerate(await store.journal_rules()):
        if problem := _problem_of(rule, history, tz=tz, before=before if number else None):
            found.note(f"rule {rule.position}: {problem}")
        before = rule.position


async def check_proposals(store: BookStore, history: RowHistory, found: CheckResult, *, tz: str) -> None:
    """Check every proposal, adopted or not."""
    for proposal in await store.rule_proposals():
        if problem := _problem_of_proposal(proposal, history, tz=tz):
            found.note(f"rule_proposal {proposal.id}: {problem}")


def _problem_of(rule: StoredRule, history: RowHistory, *, tz: str, before: int | None) -> str | None:
    """`before` is the position of the version before it; None for a store's first rule."""
    if rule.adopted is None:
        return "nothing says who adopted it, and when"
    if rule.adopted != (rule.hash, rule.valid_from_day):
        return f"the rule adopted is {rule.adopted[0][:12]} from {rule.adopted[1]}"
    written = history.first.get((ADOPTION, json.dumps([rule.position])))
    if written is None:
        return "the log of rows has no line of its adoption"
    if not rule.adopted_by:
        return None if before is None else "it counts as the founding act, and only a store's first rule is that"
    position, at = written
    if not at - LATEST_LINE_S <= rule.adopted_at <= at:
        return f"its adoption says {day_of(rule.adopted_at, tz)}, and the hub wrote it on {day_of(at, tz)}"
    if rule.valid_from_day <= (day := day_of(at, tz)):
        return f"it holds from {rule.valid_from_day} and was adopted on {day} only"
    return _problem_of_two(rule, history, adopted=position, before=before)


def _problem_of_two(rule: StoredRule, history: RowHistory, *, adopted: int, before: int | None) -> str | None:
    if rule.proposal is None:
        return f"nobody proposed it: {rule.adopted_by} alone adopted it"
    by = rule.proposal.content.by
    if rule.proposal.withdrawn_by:
        return f"{rule.proposal.withdrawn_by} had withdrawn its proposal {rule.proposal.id}"
    if not rule.is_by_two:
        return f"{rule.adopted_by} alone proposed and adopted it"
    if rule.proposal.content.canonical != rule.canonical:
        return f"it is not the rule of its proposal {rule.proposal.id}"
    if rule.proposal.follows != before:
        return f"its proposal {rule.proposal.id} followed rule {rule.proposal.follows}, and another came between"
    proposed = history.first.get((PROPOSAL, json.dumps([rule.proposal.id])))
    if proposed is not None and proposed[0] > adopted:
        return f"it was adopted before {by} proposed it"
    if not history.was_on_board(by, adopted):
        return f"{by}, who proposed it, was not on the board when it was adopted"
    return None


def _problem_of_proposal(proposal: RuleProposal, history: RowHistory, *, tz: str) -> str | None:
    new = proposal.content
    written = history.first.get((PROPOSAL, json.dumps([proposal.id])))
    if written is None:
        return None  # not in the log: the check of the rows names it
    _, at = written
    if hashlib.sha256(VERSION_TAG + new.canonical).hexdigest() != new.hash:
        return "its content does not match its hash"
    if not at - LATEST_LINE_S <= new.at <= at:
        return f"it says {day_of(new.at, tz)}, and the hub wrote it on {day_of(at, tz)}"
    if new.valid_from_day <= (day := day_of(at, tz)):
        return f"it would hold from {new.valid_from_day} and was made on {day} only"
    return None


async def check_bundles(store: MapStore, found: CheckResult, *, coop: str) -> int:
    """Check every released bundle against the texts that were added; returns how many there are."""
    files = {each.digest: each for each in await store.map_files()}
    for file in files.values():
        if map_digest(file.text).hex() != file.digest:
            found.note(f"map_file {file.digest[:16]}: its text is another than the one that was added")
    proposals = {each.id: each for each in await store.map_proposals()}
    releases, newest = await store.map_releases(), 0
    for release in releases:
        if problem := _problem_of_bundle(release, proposals.get(release.proposal), files, coop=coop, newest=newest):
            found.note(f"map_release {release.serial}: {problem}")
        newest = release.serial
    return len(releases)


def _problem_of_bundle(
    release: MapRelease, proposal: MapProposal | None, files: Mapping[str, MapFile], *, coop: str, newest: int
) -> str | None:
    """`newest` is the serial of the release before it."""
    if proposal is None:
        return "nobody proposed it"
    if proposal.withdrawn_by:
        return f"{proposal.withdrawn_by} had withdrawn its proposal {proposal.id}"
    if proposal.proposed_by == release.released_by:
        return f"{release.released_by} alone proposed and confirmed it"
    if proposal.follows != newest:
        return f"its proposal {proposal.id} was made after bundle {proposal.follows}, and {newest} came before it"
    if missing := [each for each in proposal.digests if each not in files]:
        return f"the map {missing[0][:16]} in its proposal was never added"
    chosen = [files[each] for each in proposal.digests]
    if release.bronze != sum(each.quality == "bronze" for each in chosen):
        return "it does not say how many of its maps are bronze"
    maps = tuple(ReleasedMap(each.map, each.text) for each in chosen)
    try:
        expected = encode_bundle(MapBundle(coop, release.serial, release.released_at, maps))
    except WireError as error:
        return f"its maps make no bundle: {error.detail}"
    return None if expected == release.bundle else "the bundle that homes get is not the maps of its proposal"
