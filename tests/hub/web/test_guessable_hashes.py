"""No page and no file of a member shows a hash that a neighbour's values alone would lead to."""

import base64
import hashlib
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

import httpx
from fastapi.routing import APIRoute

from hub.books.stored_rules import read_rule
from hub.core.ledger.attestations import document_digest
from hub.core.ledger.entries import read_entry
from hub.core.ledger.merkle import build_tree
from hub.core.ledger.signed_document import document_hash
from hub.core.settlement.allocation_record import read_record
from hub.core.settlement.pool_series import pool_series
from hub.storage.records import EntryRow
from hub.storage.sqlite.store import SqliteStore
from hub.web.app import build_app
from tests.hub.known_seals import SEALS
from tests.hub.web.billed_street import bill_street
from tests.hub.web.conftest import SignIn
from tests.hub.web.page_street import COOP, parts_over

LEFT_OUT = {"/sign-in/{token}", "/static/{name}", "/credits/statement/{month}.pdf"}
"""The PDF's text is read before it is drawn."""
HEX_SHOWN, BASE64_SHOWN = 16, 11


async def all_texts(browser: httpx.AsyncClient, store: SqliteStore) -> dict[str, str]:
    """The answer of every address that can be read, for the month and each of its settled days."""
    runs = await store.runs()
    days = sorted({run.day for run in runs})
    values = {"month": [days[0][:7]], "day": days, "run_key": [run.run_key for run in runs]}
    texts = {}
    for route in build_app(parts_over(store)).routes:
        if isinstance(route, APIRoute) and "GET" in route.methods and route.path not in LEFT_OUT:
            for address in filled(route.path, values):
                answer = await browser.get(address)
                if answer.status_code == 200:
                    texts[address] = answer.text
    return texts


def filled(path: str, values: dict[str, list[str]]) -> Iterator[str]:
    name = path.partition("{")[2].partition("}")[0]
    if not name:
        yield path
    for value in values.get(name, ()):
        yield from filled(path.replace("{" + name + "}", value), values)


async def guessable_hashes(store: SqliteStore) -> set[bytes]:
    """Every hash that somebody could compute who guessed all values of all homes, but has no secret of the hub."""
    rules = {rule.hash: rule.canonical for rule in await store.journal_rules()}
    hashes = {document_digest(row.document) for row in await store.journal_attestations(after=-1, limit=9_999)}
    rows = list(await store.entries(after_position=0, limit=10**6))
    hashes |= {row.hash for row in rows}
    by_day: dict[str, list[EntryRow]] = {}
    for row in rows:
        by_day.setdefault(row.day, []).append(row)
    for booked in by_day.values():
        hashes |= tree_hashes(booked)
    for run in await store.runs():
        hashes |= {bytes.fromhex(each) for each in (run.run_key, run.input_digest, run.result_hash)}
        settled = read_record(run.allocation, read_rule(rules[run.rule_hash]))
        series = pool_series(settled, coop=COOP.id, day=run.day, run=SEALS.run(run.run_key))
        whole = {name: value for name, value in series.for_auditor("").items() if name != "salt"}
        hashes |= {bytes.fromhex(document_hash(form)) for form in (whole, series.for_auditor(""))}
    return hashes


def tree_hashes(rows: Sequence[EntryRow]) -> set[bytes]:
    """Each node of a day's trees without salts after each of its runs, in the ledger's form and in the member's."""
    hashes = set()
    plain = [row.canonical for row in rows]
    shown = [SEALS.shown(read_entry(text)).encode() for text in plain]
    ends = {place for place, (row, after) in enumerate(pairwise(rows), start=1) if row.run_key != after.run_key}
    for texts in (plain, shown):
        hashes |= {hashlib.sha256(text).digest() for text in texts}
        for end in (*ends, len(rows)):
            hashes |= {node for level in build_tree(texts[:end]).levels for node in level}
    return hashes


def found_in(texts: dict[str, str], hashes: set[bytes]) -> set[str]:
    """Where a hash is shown, whole or its beginning, in hexadecimal or base64."""
    hexadecimal = {each.hex()[:HEX_SHOWN] for each in hashes}
    base64_text = {base64.urlsafe_b64encode(each).decode()[:BASE64_SHOWN] for each in hashes}
    found = set()
    for address, text in texts.items():
        if any(word[:HEX_SHOWN] in hexadecimal for word in re.findall(r"[0-9a-f]{16,}", text.lower())):
            found.add(address)
        if any(word[:BASE64_SHOWN] in base64_text for word in re.findall(r"[\w-]{11,}", text.replace("+", "-"))):
            found.add(address)
    return found


async def test_no_page_or_file_shows_a_hash_that_can_be_guessed(sign_in: SignIn, store: SqliteStore) -> None:
    await bill_street(store)
    hashes = await guessable_hashes(store)
    assert len(hashes) > 300
    browser = await sign_in("m02")
    texts = await all_texts(browser, store)
    assert len(texts) > 30
    assert {"/credits/statement/2026-06.json", "/credits/statement/2026-06/pool.json"} <= texts.keys()
    assert found_in(texts, hashes) == set()
    row = (await store.entries(after_position=0, limit=5))[3]
    assert found_in({"x": f"… {row.hash.hex()} …", "y": base64.urlsafe_b64encode(row.hash).decode()}, hashes) == {
        "x",
        "y",
    }
