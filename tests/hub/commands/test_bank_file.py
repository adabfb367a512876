"""`bank-file`: an order becomes a file that only its owner can read, or is refused in one line with nothing written."""

import argparse
import json
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from lxml import etree  # type: ignore[import-untyped]

from hub.commands import bank_file as bank_command
from hub.exchange.bank_files import COLLECTION_SCHEMA, PAYOUT_SCHEMA
from protocols.errors import RequestError
from tests.hub.core.payments.bank_orders import CREDITOR_ID, document


@cache
def schema(name: str) -> Any:
    return etree.XMLSchema(etree.fromstring(files("sepaxml").joinpath(f"schemas/{name}.xsd").read_bytes()))


def ran(tmp_path: Path, content: bytes) -> Path:
    order, out = tmp_path / "order.json", tmp_path / "bank.xml"
    order.write_bytes(content)
    parser = argparse.ArgumentParser()
    bank_command.add_arguments(parser)
    parser.set_defaults(clock=None)
    assert bank_command.run(parser.parse_args([str(order), "--out", str(out)])) == 0
    return out


def test_the_command_writes_the_file_for_its_owner_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = ran(tmp_path, json.dumps(document()).encode())
    schema(PAYOUT_SCHEMA).assertValid(etree.fromstring(out.read_bytes()))
    assert out.stat().st_mode & 0o077 == 0
    assert "1 payouts, 12.34 EUR" in capsys.readouterr().out
    with pytest.raises(RequestError, match="already exists"):
        ran(tmp_path, json.dumps(document()).encode())


def test_the_command_writes_collections(tmp_path: Path) -> None:
    payment = {**document()["payments"][0], "mandate_id": "M1", "mandate_signed_on": "2026-01-02"}
    order = document(kind="collections", creditor_id=CREDITOR_ID, payments=[payment])
    schema(COLLECTION_SCHEMA).assertValid(etree.fromstring(ran(tmp_path, json.dumps(order).encode()).read_bytes()))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[]",
        b"{" * 100_000,
        b'{"kind": "payouts", "kind": "collections"}',
        json.dumps(document(kind="gifts")).encode(),
        json.dumps(document(payments={})).encode(),
        json.dumps(document(payments=[None])).encode(),
        json.dumps(document(account=[])).encode(),
        json.dumps(document(date="soon")).encode(),
        json.dumps(document(created_at=5)).encode(),
        json.dumps(document(extra=1)).encode(),
        json.dumps(document(message_id=7)).encode(),
        json.dumps(document(payments=[{**document()["payments"][0], "amount_cent": "12.34"}])).encode(),
        json.dumps(document(payments=[{**document()["payments"][0], "amount_cent": 12.34}])).encode(),
        json.dumps(document(payments=[{**document()["payments"][0], "name": "\ud800"}])).encode(),
    ],
)
def test_the_command_refuses_in_one_line_and_writes_nothing(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(RequestError) as refused:
        ran(tmp_path, content)
    assert "\n" not in str(refused.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["order.json"]
