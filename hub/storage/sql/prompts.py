"""Appliances, prompts and answers."""

# ruff: noqa: S608 - only constant column lists and question marks are put into SQL here; values are bound.

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from hub.storage.records import Appliance, PromptRow
from hub.storage.sql.connection import Connection, Row, Transactions
from protocols.slots import start_of

ANSWERS: Final = ("yes", "no", "never_appliance")
_APPLIANCE = """home, kind, energy_wh, duration_slots, usual_slot_of_day, earliest_slot_of_day, latest_slot_of_day,
is_asked"""
_PROMPT = """id, home, member, appliance, energy_wh, usual_slot, proposed_slot, duration_slots, relief_wh, reasons,
issued_slot, answer_by_slot, answer, answered_at, measured_wh, measured_uncertainty_wh"""
_PROMPTS_SQL = f"""SELECT {_PROMPT} FROM prompt WHERE issued_slot >= ? AND issued_slot < ?
ORDER BY issued_slot, proposed_slot, id"""
_HOME_PROMPTS_SQL = f"""SELECT {_PROMPT} FROM prompt WHERE home = ? AND issued_slot >= ? AND issued_slot < ?
ORDER BY issued_slot, proposed_slot, id"""


class SqlPrompts(Transactions):
    """The PromptStore slice."""

    async def set_appliances(self, home: str, appliances: Sequence[Appliance]) -> None:
        """Replace a household's appliances."""
        if any(appliance.home != home for appliance in appliances):
            raise ValueError(f"an appliance in the list does not belong to home {home}")

        async def work(db: Connection) -> None:
            await db.execute("DELETE FROM appliance WHERE home = ?", (home,))
            await db.executemany(
                f"INSERT INTO appliance (position, {_APPLIANCE}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        position,
                        a.home,
                        a.kind,
                        a.energy_wh,
                        a.duration_slots,
                        a.usual_slot_of_day,
                        a.earliest_slot_of_day,
                        a.latest_slot_of_day,
                        int(a.is_asked),
                    )
                    for position, a in enumerate(appliances)
                ],
            )

        await self.write(work)

    async def appliances(self, *, home: str | None = None) -> tuple[Appliance, ...]:
        """All appliances by home, or one home's, in each household's own order."""
        async with self.reading() as db:
            if home is None:
                rows = await db.execute_fetchall(f"SELECT {_APPLIANCE} FROM appliance ORDER BY home, position")
            else:
                sql = f"SELECT {_APPLIANCE} FROM appliance WHERE home = ? ORDER BY position"
                rows = await db.execute_fetchall(sql, (home,))
        return tuple(replace(Appliance(*row), is_asked=bool(row[7])) for row in rows)

    async def add_prompts(self, prompts: Sequence[PromptRow]) -> None:
        """Store new prompts; a prompt whose id is already stored keeps its values and its answer."""
        lines = [
            (
                p.id,
                p.home,
                p.member,
                p.appliance,
                p.energy_wh,
                p.usual_slot,
                p.proposed_slot,
                p.duration_slots,
                p.relief_wh,
                json.dumps(p.reasons),
                p.issued_slot,
                p.answer_by_slot,
                p.answer,
                p.answered_at,
                p.measured_wh,
                p.measured_uncertainty_wh,
            )
            for p in prompts
        ]
        places = ",".join("?" * 16)
        sql = f"INSERT INTO prompt ({_PROMPT}) VALUES ({places}) ON CONFLICT (id) DO NOTHING"
        await self.write(lambda db: db.executemany(sql, lines))

    async def prompts(self, *, home: str | None, issued: range) -> tuple[PromptRow, ...]:
        """Prompts issued in these slots, for one home or for all, oldest first."""
        place = (issued.start, issued.stop)
        sql, values = (_PROMPTS_SQL, place) if home is None else (_HOME_PROMPTS_SQL, (home, *place))
        async with self.reading() as db:
            rows = await db.execute_fetchall(sql, values)
        # Not by the event loop: each has a text of reasons, and there may be thousands.
        return await asyncio.to_thread(_prompts, rows)

    async def answer_prompt(self, prompt_id: str, *, home: str, answer: str, at: int) -> str | None:
        """Refused if the prompt is unknown, belongs to another home, has expired or has a later answer."""
        if answer not in ANSWERS:
            return f"the answer must be one of {', '.join(ANSWERS)}"

        async def work(db: Connection) -> str | None:
            return await store_answer(db, prompt_id, home=home, answer=answer, at=at)

        return await self.write(work)

    async def set_measured(self, effects: Mapping[str, tuple[int, int]]) -> None:
        """Store how much energy each prompt was measured to have moved, and half the width of its 90 % interval."""
        sql = "UPDATE prompt SET measured_wh = ?, measured_uncertainty_wh = ? WHERE id = ?"
        lines = [(measured_wh, uncertainty_wh, prompt) for prompt, (measured_wh, uncertainty_wh) in effects.items()]
        if lines:
            await self.write(lambda db: db.executemany(sql, lines))


async def store_answer(db: Connection, prompt_id: str, *, home: str, answer: str, at: int) -> str | None:
    """Record an answer inside a running transaction: of those made before the deadline, the last one counts."""
    rows = list(
        await db.execute_fetchall(
            "SELECT home, appliance, answer, answered_at, answer_by_slot FROM prompt WHERE id = ?", (prompt_id,)
        )
    )
    if not rows or rows[0][0] != home:
        return "this home has no such prompt"
    _, appliance, given, given_at, answer_by_slot = rows[0]
    is_late = at >= start_of(answer_by_slot + 1)
    if given == answer:
        if given_at < at and not is_late:
            await db.execute("UPDATE prompt SET answered_at = ? WHERE id = ?", (at, prompt_id))
        return None
    if is_late:
        return "it is too late to answer this prompt"
    if given is not None and at < given_at:
        return "a later answer to this prompt was already given"
    # What was measured after another answer says nothing about this one.
    await db.execute(
        "UPDATE prompt SET answer = ?, answered_at = ?, measured_wh = NULL, measured_uncertainty_wh = NULL"
        " WHERE id = ?",
        (answer, at, prompt_id),
    )
    if "never_appliance" in (given, answer):
        is_asked = int(answer != "never_appliance")
        await db.execute("UPDATE appliance SET is_asked = ? WHERE home = ? AND kind = ?", (is_asked, home, appliance))
    return None


def _prompts(rows: Sequence[Row]) -> tuple[PromptRow, ...]:
    return tuple(_prompt(row) for row in rows)


def _prompt(row: Row) -> PromptRow:
    values = list(row)
    values[9] = tuple((str(text), int(value)) for text, value in json.loads(row[9]))
    return PromptRow(*values)
