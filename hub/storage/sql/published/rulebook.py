"""The rulebook: its versions, the board's proposals and their adoption. Triggers forbid changing a row."""

# ruff: noqa: S608 - only constant column lists are put into SQL here; values are bound.

from bisect import bisect_right
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

from hub.storage.errors import StoreError
from hub.storage.rule_records import NewProposal, RuleAdoption, RuleProposal, StoredRule, StoredRulebook, day_of
from hub.storage.sql.connection import Connection, Transactions

_ADOPTED: Final = """EXISTS (SELECT 1 FROM rule_adoption AS a
WHERE a.rule = rule.position AND a.rule_hash = rule.hash AND a.valid_from_day = rule.valid_from_day
AND (a.adopted_by = '' OR EXISTS (SELECT 1 FROM rule_proposal AS p WHERE p.rule_hash = rule.hash
    AND p.valid_from_day = rule.valid_from_day AND p.proposed_by NOT IN ('', a.adopted_by))))"""
_NEWEST: Final = "ORDER BY valid_from_day DESC, position DESC LIMIT 1"
# Damaged text may be invalid UTF-8: it is read as bytes and decoded here, because the database driver would raise.
_PROPOSAL: Final = """p.id, p.follows, CAST(p.rule_hash AS BLOB), p.canonical, CAST(p.valid_from_day AS BLOB),
CAST(p.source AS BLOB), CAST(p.proposed_by AS BLOB), p.proposed_at, CAST(w.withdrawn_by AS BLOB)"""
_WITHDRAWN: Final = "LEFT JOIN rule_withdrawal AS w ON w.proposal = p.id"
_PROPOSALS_SQL: Final = f"SELECT {_PROPOSAL} FROM rule_proposal AS p {_WITHDRAWN} ORDER BY p.id"
_RULES_SQL: Final = f"""SELECT r.position, CAST(r.hash AS BLOB), r.canonical, CAST(r.valid_from_day AS BLOB),
CAST(a.rule_hash AS BLOB), CAST(a.valid_from_day AS BLOB), CAST(a.adopted_by AS BLOB), a.adopted_at, {_PROPOSAL}
FROM rule AS r LEFT JOIN rule_adoption AS a ON a.rule = r.position
LEFT JOIN rule_proposal AS p ON p.rule_hash = r.hash AND p.valid_from_day = r.valid_from_day
{_WITHDRAWN} ORDER BY r.position"""
_PROPOSE_SQL: Final = """INSERT INTO rule_proposal
(rule_hash, canonical, valid_from_day, follows, source, proposed_by, proposed_at) VALUES (?, ?, ?, ?, ?, ?, ?)
RETURNING id"""
_SETTLED_SQL: Final = "SELECT coalesce(max(day), '') FROM run WHERE kind NOT LIKE 'fund:%' AND length(day) = 10"


class SqlRulebook(Transactions):
    """The RuleStore slice."""

    async def add_rule(self, rule_hash: str, *, canonical: bytes, valid_from_day: str) -> None:
        """Add the store's first rule, the founding act; adding it again changes nothing.

        Raises: StoreError for any other rule: that needs a proposal and its adoption.
        """

        async def work(db: Connection) -> None:
            same = "SELECT 1 FROM rule WHERE hash = ? AND valid_from_day = ?"
            if list(await db.execute_fetchall(same, (rule_hash, valid_from_day))):
                return
            if list(await db.execute_fetchall("SELECT 1 FROM rule LIMIT 1")):
                raise StoreError("a new rule needs one member of the board to propose it and another to adopt it")
            rule = (rule_hash, canonical, valid_from_day)
            await _put_rule(db, rule, adopted=RuleAdoption("", int(self._now())))

        await self.write(work)

    async def propose_rule(self, new: NewProposal) -> int:
        """Store a proposal and return its number.

        Raises: StoreError if the proposer is not on the board, it would begin too early, or it is there already.
        """

        async def work(db: Connection) -> int:
            await _require_board(db, new.by)
            await _require_later(db, new.valid_from_day, at=new.at)
            same = """SELECT p.id, p.proposed_by, w.proposal FROM rule_proposal AS p
            LEFT JOIN rule_withdrawal AS w ON w.proposal = p.id WHERE p.rule_hash = ? AND p.valid_from_day = ?"""
            for number, by, withdrawn in await db.execute_fetchall(same, (new.hash, new.valid_from_day)):
                if withdrawn is not None:
                    raise StoreError(f"this rule was proposal {number} and was withdrawn: propose it for another day")
                raise StoreError(f"this rule is proposal {number} of {by} already: another board member can adopt it")
            ((follows,),) = await db.execute_fetchall("SELECT coalesce(max(position), 0) FROM rule")
            values = (new.hash, new.canonical, new.valid_from_day, follows, new.source, new.by, new.at)
            # If power fails before the commit, there is no proposal, and nobody was told of one.
            ((number,),) = await db.execute_fetchall(_PROPOSE_SQL, values)
            return int(number)

        return await self.write(work)

    async def rule_proposals(self) -> tuple[RuleProposal, ...]:
        """Every proposal, oldest first."""
        async with self.reading() as db:
            return tuple(_proposal(tuple(row)) for row in await db.execute_fetchall(_PROPOSALS_SQL))

    async def rulebook(self, today: str) -> StoredRulebook:
        """All versions and proposals at one moment."""
        async with self.reading() as db:
            rules = tuple([_rule(tuple(row)) for row in await db.execute_fetchall(_RULES_SQL)])
            proposals = tuple([_proposal(tuple(row)) for row in await db.execute_fetchall(_PROPOSALS_SQL)])
        return StoredRulebook(rules, proposals, today)

    async def adopt_rule(self, proposal: int, *, adopted: RuleAdoption) -> None:
        """Make a proposal a version of the rulebook, in one transaction.

        Raises: StoreError if there is no such proposal, it is stale, or the two are not two members of the board.
        """

        async def work(db: Connection) -> None:
            wanted = await _proposal_of(db, proposal)
            if wanted.withdrawn_by:
                raise StoreError(f"{wanted.withdrawn_by} withdrew proposal {proposal}: it can no longer be adopted")
            await _adopt_rule(db, wanted, adopted=adopted)

        await self.write(work)

    async def withdraw_rule(self, proposal: int, *, by: str, at: int) -> None:
        """Take a proposal back; it can never be adopted afterwards.

        Raises: StoreError unless its proposer does, or a member of the board if the proposer left the board.
        """

        async def work(db: Connection) -> None:
            wanted = await _proposal_of(db, proposal)
            if wanted.withdrawn_by:
                raise StoreError(f"proposal {proposal} is withdrawn already: nothing was changed")
            await _require_open(db, wanted)
            await _require_board(db, by)
            proposer = wanted.content.by
            held = list(await db.execute_fetchall("SELECT is_board FROM member WHERE id = ?", (proposer,)))
            if by != proposer and held and held[0][0]:
                raise StoreError(
                    f"{proposer} made proposal {proposal} and is on the board: only {proposer} withdraws it"
                )
            await db.execute("INSERT INTO rule_withdrawal VALUES (?, ?, ?)", (proposal, by, at))

        await self.write(work)

    async def rule_on(self, day: str) -> tuple[str, bytes]:
        """(hash, canonical bytes) of the rule in force on a local day. Raises: StoreError if there is none."""
        sql = f"SELECT hash, canonical FROM rule WHERE valid_from_day <= ? AND {_ADOPTED} {_NEWEST}"
        async with self.reading() as db:
            rows = list(await db.execute_fetchall(sql, (day,)))
        if not rows:
            raise StoreError(f"{self.place}: no rule is in force on {day}; the first rule must begin before it")
        return str(rows[0][0]), bytes(rows[0][1])

    async def rule_hashes(self, days: Sequence[str]) -> dict[str, str]:
        """The hash of the rule in force on each of these local days; days before the first rule are omitted."""
        sql = f"SELECT valid_from_day, hash FROM rule WHERE {_ADOPTED} ORDER BY valid_from_day, position"
        async with self.reading() as db:
            rules = [(str(first), str(rule_hash)) for first, rule_hash in await db.execute_fetchall(sql)]
        firsts = [first for first, _ in rules]
        return {day: rules[place - 1][1] for day in days if (place := bisect_right(firsts, day))}

    async def journal_rules(self) -> tuple[StoredRule, ...]:
        """Every version of the rulebook with its proposal and adoption, damaged or not."""
        async with self.reading() as db:
            rows = list(await db.execute_fetchall(_RULES_SQL))
        return tuple(_rule(tuple(row)) for row in rows)


async def _adopt_rule(db: Connection, proposal: RuleProposal, *, adopted: RuleAdoption) -> None:
    """Add the proposed rule together with its adoption by a second member of the board."""
    new = proposal.content
    await _require_open(db, proposal)
    await _require_board(db, adopted.by)
    if adopted.by == new.by:
        raise StoreError(f"{new.by} made proposal {proposal.id}: another member of the board has to adopt it")
    await _require_board(db, new.by)
    await _require_later(db, new.valid_from_day, at=adopted.at)
    ((newest,),) = await db.execute_fetchall("SELECT max(position) FROM rule")
    if newest != proposal.follows:
        raise StoreError(
            f"proposal {proposal.id} is stale: another rule was adopted since it was made; propose it again"
        )
    # If power fails before the commit, the proposal waits as before.
    await _put_rule(db, (new.hash, new.canonical, new.valid_from_day), adopted=adopted)


async def _proposal_of(db: Connection, number: int) -> RuleProposal:
    found = [_proposal(tuple(row)) for row in await db.execute_fetchall(_PROPOSALS_SQL)]
    wanted = next((each for each in found if each.id == number), None)
    if wanted is None:
        raise StoreError(f"there is no proposal {number}: commonwatt-hub rules show lists them")
    return wanted


async def _require_open(db: Connection, proposal: RuleProposal) -> None:
    same = "SELECT 1 FROM rule WHERE hash = ? AND valid_from_day = ?"
    if list(await db.execute_fetchall(same, (proposal.content.hash, proposal.content.valid_from_day))):
        raise StoreError(f"proposal {proposal.id} is adopted already: nothing was changed")


async def _put_rule(db: Connection, rule: tuple[str, bytes, str], *, adopted: RuleAdoption) -> None:
    sql = "INSERT INTO rule (hash, canonical, valid_from_day) VALUES (?, ?, ?) RETURNING position"
    ((position,),) = await db.execute_fetchall(sql, rule)
    values = (position, rule[0], rule[2], adopted.by, adopted.at)
    await db.execute("INSERT INTO rule_adoption VALUES (?, ?, ?, ?, ?)", values)


async def _require_board(db: Connection, member: str) -> None:
    rows = list(await db.execute_fetchall("SELECT is_board FROM member WHERE id = ?", (member,)))
    if not rows or not rows[0][0]:
        raise StoreError(f"{member[:40]!r} is not on the board: two members of the board agree on a new rule")


async def _require_later(db: Connection, first_day: str, *, at: int) -> None:
    """A rule begins after today and after the last settled day, which every published day is too."""
    ((tz,),) = await db.execute_fetchall("SELECT tz FROM coop")
    ((settled,),) = await db.execute_fetchall(_SETTLED_SQL)
    today = day_of(at, str(tz))
    last = max(today, str(settled))
    if first_day <= last:
        why = f"today is {today}" if last == today else f"{last} is settled"
        earliest = date.fromisoformat(last) + timedelta(days=1)
        raise StoreError(f"a new rule cannot hold from {first_day}: {why}, so {earliest} is the earliest day")


def _rule(row: tuple[bytes | int | None, ...]) -> StoredRule:
    position, rule_hash, canonical, first_day, adopted_hash, adopted_day, by, at = row[:8]
    assert isinstance(position, int)
    assert isinstance(canonical, bytes)
    proposal = None if row[8] is None else _proposal(row[8:])
    rule = StoredRule(position, _text(rule_hash), canonical, _text(first_day), proposal=proposal)
    if adopted_hash is None:
        return rule
    assert isinstance(at, int)
    adopted = (_text(adopted_hash), _text(adopted_day))
    return StoredRule(
        rule.position, rule.hash, canonical, rule.valid_from_day, adopted, _text(by), at, proposal=proposal
    )


def _proposal(row: tuple[bytes | int | None, ...]) -> RuleProposal:
    number, follows, rule_hash, canonical, first_day, source, by, at, withdrawn = row
    assert isinstance(number, int)
    assert isinstance(follows, int)
    assert isinstance(canonical, bytes)
    assert isinstance(at, int)
    new = NewProposal(_text(rule_hash), canonical, _text(first_day), _text(source), _text(by), at)
    return RuleProposal(number, follows, new, "" if withdrawn is None else _text(withdrawn))


def _text(raw: bytes | int | None) -> str:
    assert isinstance(raw, bytes)
    return raw.decode("utf-8", errors="backslashreplace")
