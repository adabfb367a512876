"""The log of a running hub as JSON: one batch is followed from intake to its receipt; no line links it to a name."""

import asyncio
import json
import urllib.request
from pathlib import Path
from typing import Any

from hub.folder.keys.hub_key import load_key
from hub.folder.paths import KEY_NAME
from hub.health.trail import batch_id
from tests.benchmarks.attacks.running_hub import HonestHome, line_of, prepare, running
from tests.hub.processes.waiting import wait_for
from tests.hub.processes.watching.otlp_receiver import collecting
from tests.hub.sending_home import SendingHome


def lines_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "run.log").read_text().splitlines()]


def test_a_batch_is_followed_from_intake_to_its_receipt(tmp_path: Path) -> None:
    folder, home = tmp_path / "hub", SendingHome("h01")
    asyncio.run(prepare(folder, [home]))
    settings = folder / "hub.toml"
    with collecting() as collector:
        text = settings.read_text().replace('form = "text" ', 'form = "json" ').replace("trail = false", "trail = true")
        settings.write_text(f'{text}\n[traces]\nendpoint = "{collector.address}"\n')
        with running(folder) as where:
            honest = HonestHome(
                home, line=line_of(folder, where, home), hub_key=load_key(folder / KEY_NAME).public_key()
            )
            honest.begin()
            with urllib.request.urlopen(f"{where['web']}/sign-in", timeout=60) as answer:
                request_id = answer.headers["x-request-id"]
            honest.close()
            sent = batch_id(home.previous)
            receipts = wait_for(lambda: [each for each in lines_of(folder) if sent in each.get("batches", [])])
        spans = {name for name, _, _ in collector.spans()}
    lines = lines_of(folder)
    (opened, stored) = [line for line in lines if line.get("batch") == sent]
    assert (opened["message"], stored["message"]) == ("batch opened", "batch stored")
    assert opened["group"] == stored["group"]
    assert receipts[0]["message"] == "receipt signed"
    assert lines.index(opened) < lines.index(stored) < lines.index(receipts[0])
    (answered,) = [line for line in lines if line.get("request") == request_id]
    assert (answered["part"], answered["area"], answered["status"]) == ("pages", "sign-in", 200)
    assert {line["part"] for line in lines} >= {"hub", "intake", "pages"}
    assert {"group", "request"} <= spans
    named = [line for line in lines if home.agent in str(line) or "H01" in str(line)]
    assert named == []


def test_a_line_that_names_an_agent_has_no_id_of_what_it_sent(tmp_path: Path) -> None:
    folder, home = tmp_path / "hub", SendingHome("h01")
    asyncio.run(prepare(folder, [home]))
    settings = folder / "hub.toml"
    text = settings.read_text().replace('form = "text" ', 'form = "json" ').replace("trail = false", "trail = true")
    settings.write_text(text)
    with running(folder) as where:
        honest = HonestHome(home, line=line_of(folder, where, home), hub_key=load_key(folder / KEY_NAME).public_key())
        honest.begin()
        honest.send_what_is_refused()
        honest.close()
        named = wait_for(lambda: [each for each in lines_of(folder) if home.agent in str(each)])
    assert ["was refused: clock_window" in line["message"] for line in named] == [True]
    assert set(named[0]) == {"time", "level", "part", "message"}
    sent = batch_id(home.previous)
    traced = [line["message"] for line in lines_of(folder) if line.get("batch") == sent]
    assert traced == ["batch opened", "batch stored"], "its number is answered, and the trail has it without the name"
