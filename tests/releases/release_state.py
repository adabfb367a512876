"""What a hub folder and an agent folder hold: hashes, chain heads and counts that must stay the same."""

import asyncio
import contextlib
import io
import json
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

from edge_agent.__main__ import main as agent_main
from edge_agent.metering.home_meter import read_checkpoint
from edge_agent.outbox.opening import open_outbox
from edge_agent.uplink.identity import Identity, load_identity
from hub.__main__ import main as hub_main
from hub.books.days import read_day_inputs
from hub.core.ledger.attestations import document_digest
from hub.core.settlement.period import settle
from hub.folder.opening import open_hub
from protocols.consent.rules import decode_consent
from protocols.timeline import Clock, Timeline
from protocols.wire.envelope import batch_hash

ALL_SLOTS = range(2**31)
COUNTED_MESSAGES = ("messages", "readings", "consents", "chains")
COUNTED_BOOKS = ("entries", "runs", "recomputed", "attestations", "sums")
LATER_S = 1_637_100_000
"""A time after everything that happened in the folders, in Unix seconds."""


def run_hub(folder: Path, clock_file: Path, words: str, *more: str) -> tuple[int, str]:
    """Run a hub command at the clock's time; returns its exit status and what it prints."""
    command, *rest = words.split()
    given = [command, "--data", str(folder), "--clock", str(clock_file), *rest, *more]
    with contextlib.redirect_stdout(io.StringIO()) as out:
        code = hub_main(given)
    return code, out.getvalue()


def run_agent(folder: Path, words: str) -> Any:
    """The JSON an agent command prints."""
    command, *rest = words.split()
    with contextlib.redirect_stdout(io.StringIO()) as out:
        code = agent_main([command, "--config", str(folder / "agent.toml"), *rest])
    assert code == 0, (words, out.getvalue())
    return json.loads(out.getvalue())


def later_clock(beside: Path) -> Path:
    """A clock file that always shows LATER_S."""
    path = beside / "later.json"
    path.write_text(Timeline(0, LATER_S, 0, None).text(), encoding="utf-8")
    return path


def hub_state(folder: Path, clock_file: Path) -> dict[str, Any]:
    """What the hub stores and what its commands report."""

    def said(words: str) -> Any:
        code, out = run_hub(folder, clock_file, f"{words} --json")
        assert code == 0, (words, out)
        return json.loads(out)

    verified = said("verify")
    orders = said("payments --member m01")["orders"]
    return asyncio.run(_books(folder)) | {
        "verify": {
            "ok": verified["ok"],
            "messages": {name: verified["messages"][name] for name in COUNTED_MESSAGES},
            "books": {name: verified["books"][name] for name in COUNTED_BOOKS},
        },
        "months": [[run["month"], run["kind"], run["run_key"], run["days"]] for run in said("runs")["runs"]],
        "accounts": [[row["unit"], row["account"], row["amount"]] for row in said("trial-balance")["accounts"]],
        "findings": [[row["home"], row["day"], row["code"], row["waiting"]] for row in said("findings --member m01")],
        "payments": [[order["message_id"], order["total_cent"], order["booked_on"]] for order in orders],
    }


async def _books(folder: Path) -> dict[str, Any]:
    _, signer, store = await open_hub(folder, clock=Clock(real=lambda: LATER_S))
    try:
        runs = await store.runs(allocations=False)
        position, head = await store.ledger_head()
        last = await store.last_attestation()
        assert last is not None, "the hub has signed nothing"
        prompts = await store.prompts(home=None, issued=ALL_SLOTS)
        settled = {}
        for day in sorted({run.day for run in runs}):
            inputs = await read_day_inputs(store, day=date.fromisoformat(day))
            settled[day] = settle(inputs.readings, inputs.rule).result_hash()
        return {
            "hub_key": signer.identity.hex(),
            "members": [[member.id, member.is_board, member.joined_at] for member in await store.members()],
            "runs": [[run.day, run.kind, run.run_key, run.input_digest, run.result_hash] for run in runs],
            "settled_again": settled,
            "ledger": [position, head.hex()],
            "attestations": [last.position, document_digest(last.document).hex()],
            "consents": {
                home: max(each.version for each in held) for home, held in sorted((await store.consents()).items())
            },
            "objections": [[row.member, row.month, row.day, row.line, row.verdict] for row in await store.objections()],
            "prompts": [[row.id, row.answer, row.measured_wh] for row in prompts],
        }
    finally:
        await store.close()


def agent_state(folder: Path) -> dict[str, Any]:
    """Who the agent is, where its chain ends and which messages wait for the hub."""
    listed = run_agent(folder, "outbox --limit 0 --json")
    asked = run_agent(folder, "prompts --json")
    return asyncio.run(_outbox(folder)) | {
        "messages": [listed["messages"], listed["waiting"], listed["refused"]],
        "prompts": len(asked),
    }


def _fingerprint(identity: Identity) -> str:
    """Six digits of both keys, as releases 0.1 and 0.2 showed them: the keys have not changed."""
    keys = identity.signer.key.public_key().public_bytes_raw() + identity.enrolment.hub_public_key
    digits = f"{int.from_bytes(sha256(b'commonwatt/1 fingerprint' + bytes(1) + keys).digest()[:8]) % 1_000_000:06d}"
    return f"{digits[:3]} {digits[3:]}"


async def _outbox(folder: Path) -> dict[str, Any]:
    data = folder / "data"
    identity = load_identity(data)
    async with open_outbox(data, max_mb=8, now_s=LATER_S) as (outbox, aside):
        assert aside is None, f"the outbox was set aside as {aside}"
        link, consent, checkpoint = outbox.next_link, await outbox.consent(), await outbox.checkpoint()
        assert consent is not None
        assert checkpoint is not None
        waiting = await outbox.waiting(after=0, limit=1000)
        next_slot, bases = read_checkpoint(checkpoint)
        return {
            "agent": identity.enrolment.agent,
            "fingerprint": _fingerprint(identity),
            "next": [link.epoch, link.seq, link.previous.hex()],
            "waiting": [[each.seq, batch_hash(each.sealed).hex()] for each in waiting],
            "receipted": [(told := await outbox.receipted()).through, told.signed_at],
            "consent": [decode_consent(consent[1]).version, consent[1].hex()],
            "checkpoint": [next_slot, {name: base.counter_wh for name, base in sorted(bases.items())}],
            "given_answers": [[prompt, choice.value] for prompt, choice, _ in await outbox.given_answers()],
        }
