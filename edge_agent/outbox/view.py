"""The outbox seen from outside, beside a running agent: what left, what waits, the prompts, and leaving an answer.

Never changes the chain: an answer is put on a list, and the agent moves it into the chain.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from edge_agent.outbox.messages import OutboxError
from edge_agent.outbox.opening import FILE_NAME
from edge_agent.outbox.sent_readings import SentReading, readings_of
from protocols.wire.envelope import payload_of
from protocols.wire.messages import AnswerChoice, PromptNotice, decode_prompt
from protocols.wire.readings import Batch, decode_batch
from protocols.wire.refusal_reasons import WireError
from protocols.wire.revocations import RevocationNotice, decode_revocation

AnswerProgress = Literal["given", "sent", "receipted", "refused"]


@dataclass(frozen=True, slots=True)
class OutboxMessage:
    """One line about a message. Times in Unix seconds, None for not yet; `refused` is the hub's reason."""

    epoch: int
    seq: int
    kind: str
    bytes: int
    made_at: int
    published_at: int | None
    receipted_at: int | None
    refused: str | None


@dataclass(frozen=True, slots=True)
class OutboxOverview:
    """Totals, and the newest messages first."""

    messages: int
    waiting: int
    refused: int
    dropped: int
    bytes: int
    newest: tuple[OutboxMessage, ...]
    revoked: RevocationNotice | None = None


@dataclass(frozen=True, slots=True)
class PromptStatus:
    """A prompt and the answer given here, if any: when in Unix seconds, and how far on its way to the hub it is."""

    prompt: PromptNotice
    choice: str | None = None
    given_at: int | None = None
    way: AnswerProgress | None = None
    refused: str | None = None


def read_overview(folder: Path, *, limit: int) -> OutboxOverview:
    """What is in the outbox. Raises OutboxError."""
    with _reading(folder) as db:
        (count, waiting, refused, size) = db.execute(
            "SELECT count(*), count(*) FILTER (WHERE receipted_at IS NULL), count(refused),"
            " coalesce(sum(length(sealed)), 0) FROM message"
        ).fetchone()
        (dropped,) = db.execute("SELECT dropped FROM state").fetchone() or (0,)
        rows = db.execute(
            "SELECT epoch, seq, kind, length(sealed), made_at, published_at, receipted_at, refused"
            " FROM message ORDER BY epoch DESC, seq DESC LIMIT ?",
            (limit,),
        ).fetchall()
        revoked = _revocation(db, folder)
    newest = tuple(OutboxMessage(*row) for row in rows)
    return OutboxOverview(count, waiting, refused, dropped, size, newest, revoked)


def held_consent(folder: Path) -> bytes | None:
    """The canonical bytes of the consent in force at the end of the chain; None before the agent has run.

    Raises: OutboxError.
    """
    if not _has_outbox(folder / FILE_NAME):
        return None
    with _reading(folder) as db:
        row = db.execute("SELECT consent FROM state WHERE consent IS NOT NULL").fetchone()
    return bytes(row[0]) if row else None


def newest_batch(folder: Path) -> Batch | None:
    """The last readings that were sealed, sent or not; None before the first. Raises: OutboxError."""
    with _reading(folder) as db:
        row = db.execute(
            "SELECT sealed FROM message WHERE kind = 'batch' ORDER BY epoch DESC, seq DESC LIMIT 1"
        ).fetchone()
    try:
        return decode_batch(payload_of(row[0])) if row else None
    except WireError:
        return None  # it is refused by the hub for the same reason, and the outbox says so


def read_message(folder: Path, epoch: int, seq: int) -> tuple[str, bytes]:
    """Kind and sealed bytes of one message that is still kept here. Raises: OutboxError."""
    with _reading(folder) as db:
        row = db.execute("SELECT kind, sealed FROM message WHERE epoch = ? AND seq = ?", (epoch, seq)).fetchone()
    if row is None:
        raise OutboxError(
            f"message {epoch}/{seq} is not kept here: `commonwatt-agent outbox` lists those that are, for some days"
            " after their receipt"
        )
    return str(row[0]), bytes(row[1])


def _revocation(db: sqlite3.Connection, folder: Path) -> RevocationNotice | None:
    # An outbox that an older program wrote has no such table until the agent runs again.
    if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'revocation'").fetchone() is None:
        return None
    row = db.execute("SELECT payload FROM revocation").fetchone()
    try:
        return decode_revocation(row[0]) if row else None
    except WireError as error:
        raise OutboxError(f"{folder / FILE_NAME}: a stored notice cannot be read ({error.detail})") from None


def list_prompts(folder: Path) -> list[PromptStatus]:
    """The hub's prompts, newest first, each with the answer given here. Raises OutboxError."""
    with _reading(folder) as db:
        rows: list[tuple[Any, ...]] = db.execute(
            "SELECT prompt.payload, g.choice, g.at, a.choice, a.at, message.seq, published_at, receipted_at, refused"
            " FROM prompt LEFT JOIN given_answer AS g ON g.prompt_id = prompt.id"
            " LEFT JOIN answered AS a ON a.prompt_id = prompt.id"
            " LEFT JOIN message USING (epoch, seq) ORDER BY received_at DESC, prompt.id"
        ).fetchall()
    try:
        return [_asked(*row) for row in rows]
    except WireError as error:
        raise OutboxError(f"{folder / FILE_NAME}: a stored prompt cannot be read ({error.detail})") from None


def _asked(
    payload: bytes, given: str | None, given_at: int | None, choice: str | None, chosen_at: int | None, *message: Any
) -> PromptStatus:
    prompt = decode_prompt(payload)
    if given is not None:
        return PromptStatus(prompt, given, given_at, "given")
    if choice is None:
        return PromptStatus(prompt)
    seq, published_at, receipted_at, refused = message
    way: AnswerProgress = "sent" if published_at else "given"
    if receipted_at or seq is None:
        # A message that is no longer stored was receipted before it was deleted.
        way = "refused" if refused else "receipted"
    return PromptStatus(prompt, choice, chosen_at, way, refused)


def read_sent(folder: Path, slots: range) -> list[SentReading]:
    """What was sent for these slots, ascending; of a slot sealed twice, the newer. Raises: OutboxError."""
    with _reading(folder) as db:
        rows: list[SentReading] = []
        # An outbox that an older program wrote has no such table until the agent runs again.
        if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'sent_reading'").fetchone():
            between = "SELECT slot, export_wh, import_wh FROM sent_reading WHERE slot >= ? AND slot < ?"
            rows = db.execute(between, (slots.start, slots.stop)).fetchall()
        sealed = db.execute("SELECT sealed FROM message WHERE kind = 'batch' ORDER BY epoch, seq").fetchall()
    known = {slot: (slot, export_wh, import_wh) for slot, export_wh, import_wh in rows}
    known |= {row[0]: row for row in readings_of(row[0] for row in sealed) if row[0] in slots}
    return [known[slot] for slot in sorted(known)]


def leave_answer(folder: Path, prompt_id: str, *, choice: AnswerChoice, now_s: float) -> None:
    """Leave an answer for the agent to send. Raises OutboxError for a prompt that is unknown or over."""
    with _opened(folder, "rw") as db, db:
        row = db.execute("SELECT payload FROM prompt WHERE id = ?", (prompt_id,)).fetchone()
        if row is None:
            raise OutboxError(f"prompt {prompt_id!r} is not known here: `commonwatt-agent prompts` lists them")
        if decode_prompt(row[0]).answer_by <= now_s:
            raise OutboxError(f"prompt {prompt_id!r}: the time to answer has passed")
        db.execute(
            "INSERT INTO given_answer (prompt_id, choice, at) VALUES (?,?,?)"
            " ON CONFLICT (prompt_id) DO UPDATE SET choice = excluded.choice, at = excluded.at",
            (prompt_id, choice.value, int(now_s)),
        )


@contextmanager
def _reading(folder: Path) -> Iterator[sqlite3.Connection]:
    with _opened(folder, "ro") as db:
        yield db


@contextmanager
def _opened(folder: Path, mode: str) -> Iterator[sqlite3.Connection]:
    path = folder / FILE_NAME
    if not _has_outbox(path):
        raise OutboxError(f"{path}: there is no outbox yet: after `commonwatt-agent enrol`, `run` creates it")
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=5)) as db:
            yield db
    except sqlite3.Error as cause:
        raise OutboxError(f"{path}: cannot be read: {cause}") from None


def _has_outbox(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as cause:
        raise OutboxError(f"{path}: cannot be read: {cause.strerror}: run this as the user it belongs to") from None
