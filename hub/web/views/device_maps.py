"""What the board's page of device maps shows: the maps that were added, the bundle in force, and what is proposed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from hub.storage.maps.records import MapFile, MapProposal, MapRelease
from hub.storage.records import Member
from hub.web.frame.translation import Localizer

DIGEST_CHARS: Final = 16
"""Enough to compare with the file that one looked at."""


@dataclass(frozen=True, slots=True)
class MapRow:
    """One map's file: its name, the beginning of its digest, and how good it is and who added it."""

    map: str
    digest: str
    about: str


@dataclass(frozen=True, slots=True)
class AddedMap:
    """A map that was added, whether it is released, and whether that may be changed; older files are only listed."""

    row: MapRow
    state: str
    is_released: bool
    may_propose: bool


@dataclass(frozen=True, slots=True)
class MapProposalCard:
    """A proposal that waits: its maps, what they count for, and what this reader may do with it."""

    number: int
    heading: str
    history: str
    effect: str
    rows: tuple[MapRow, ...]
    may_confirm: bool
    may_withdraw: bool


@dataclass(frozen=True, slots=True)
class MapsPage:
    """The bundle in force in a sentence or two, the proposals, and every map, the newest first."""

    in_force: str
    proposals: tuple[MapProposalCard, ...]
    maps: tuple[AddedMap, ...]


def maps_page(
    files: Sequence[MapFile],
    proposals: Sequence[MapProposal],
    releases: Sequence[MapRelease],
    words: Localizer,
    *,
    members: Sequence[Member],
    reader: str,
) -> MapsPage:
    """The page for one member of the board."""
    by_digest = {each.digest: each for each in files}
    names = {each.id: each.name for each in members}
    board = {each.id for each in members if each.is_board}
    newest = releases[-1] if releases else None
    by_number = {each.id: each for each in proposals}
    released = set() if newest is None else {*by_number[newest.proposal].digests}
    serial = 0 if newest is None else newest.serial
    waiting = [each for each in proposals if each.follows == serial and not each.withdrawn_by]
    return MapsPage(
        _in_force(newest, by_number, words, names=names, count=len(released)),
        tuple(_card(each, by_digest, words, names=names, board=board, reader=reader) for each in reversed(waiting)),
        tuple(_added(each, files, words, names=names, released=released) for each in reversed(files)),
    )


def _in_force(
    newest: MapRelease | None,
    proposals: Mapping[int, MapProposal],
    words: Localizer,
    *,
    names: Mapping[str, str],
    count: int,
) -> str:
    if newest is None:
        return words.text("No map is released: agents read with the maps they came with.")
    proposed_by = proposals[newest.proposal].proposed_by
    return words.sentences(
        words.plural(
            "Bundle %(serial)s has %(n)s map.", "Bundle %(serial)s has %(n)s maps.", count, serial=newest.serial
        ),
        words.text(
            "Proposed by %(first)s, confirmed by %(second)s on %(day)s.",
            first=names.get(proposed_by, proposed_by),
            second=names.get(newest.released_by, newest.released_by),
            day=_local_day(newest.released_at, words),
        ),
        _effect(newest.bronze, words),
    )


def _effect(bronze: int, words: Localizer) -> str:
    if not bronze:
        return ""
    return words.plural(
        "%(n)s of them is bronze: a grid meter that is read with it counts for settlement.",
        "%(n)s of them are bronze: a grid meter that is read with one of them counts for settlement.",
        bronze,
    )


def _card(
    proposal: MapProposal,
    files: Mapping[str, MapFile],
    words: Localizer,
    *,
    names: Mapping[str, str],
    board: set[str],
    reader: str,
) -> MapProposalCard:
    chosen = [files[each] for each in proposal.digests]
    by = proposal.proposed_by
    return MapProposalCard(
        proposal.id,
        words.text("Proposal %(number)s", number=proposal.id)
        if chosen
        else words.text("Proposal %(number)s: take all maps back", number=proposal.id),
        words.text(
            "Proposed by %(name)s on %(day)s.", name=names.get(by, by), day=_local_day(proposal.proposed_at, words)
        ),
        _effect(sum(each.quality == "bronze" for each in chosen), words),
        tuple(_row(each, words, names) for each in chosen),
        may_confirm=by != reader and by in board,
        may_withdraw=by == reader or by not in board,
    )


def _added(
    file: MapFile, files: Sequence[MapFile], words: Localizer, *, names: Mapping[str, str], released: set[str]
) -> AddedMap:
    is_released = file.digest in released
    newer = [each for each in files if each.map == file.map][-1]
    state = words.text("released") if is_released else words.text("not released")
    return AddedMap(_row(file, words, names), state, is_released, is_released or newer.digest == file.digest)


def _row(file: MapFile, words: Localizer, names: Mapping[str, str]) -> MapRow:
    by = names.get(file.added_by, file.added_by)
    about = words.text("%(quality)s, added by %(name)s", quality=_quality(file.quality, words), name=by)
    return MapRow(file.map, file.digest[:DIGEST_CHARS], about)


def _quality(quality: str, words: Localizer) -> str:
    known = {"bronze": words.text("bronze"), "silver": words.text("silver"), "gold": words.text("gold")}
    return known.get(quality, quality)


def _local_day(at: int, words: Localizer) -> str:
    return words.full_day(words.local(at).date())
