"""Real processes share a hub: a home enrols at one; of those that take its messages one is killed, one is paused beyond
its leases, and one joins (I1, I2, I3).
"""

import asyncio
import json
import signal
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from hub.__main__ import main
from hub.processes.roles.life import process_label
from protocols.enrolment.handshake import build_request
from protocols.enrolment.token import parse_token
from tests.hub.intake.test_hub_killed import post
from tests.hub.processes.roles.many import ManyHub, Street, kill, many_hub, signal_all
from tests.hub.processes.waiting import wait_for
from tests.hub.sending_home import SendingHome

HOMES = 12
MESSAGES = 25


async def enrol_at(hub: ManyHub, pages: str, home: SendingHome, capsys: pytest.CaptureFixture[str]) -> None:
    """Enrol this agent as a household does, at the process that serves the pages."""
    capsys.readouterr()
    invite = ["invite", "--data", str(hub.folder), "--member", "New", "--email", "a@b.c", "--home", home.home]
    assert await asyncio.to_thread(main, [*invite, "--clock", str(hub.clock), "--json"]) == 0
    token = json.loads(capsys.readouterr().out)["token"]
    request = build_request(home.key, token=parse_token(token), coop="street")
    status, body = await asyncio.to_thread(post, f"{pages}/api/enrol", request)
    assert status == 200, body


def status_at(hub: ManyHub) -> dict[str, object]:
    """What the process that serves the pages says of the whole hub."""
    where = json.loads((hub.folder / "running.json").read_text())
    asked = urllib.request.Request(
        f"{where['web']}/api/status.json", headers={"Authorization": f"Bearer {where['status_key']}"}
    )
    with urllib.request.urlopen(asked, timeout=30) as answer:
        found: dict[str, object] = json.loads(answer.read())
    return found


def label_values(hub: ManyHub, metric: str, label: str) -> set[str]:
    """All values that this label of a metric has at the health port of the process that serves the pages."""
    address = json.loads((hub.folder / "running.json").read_text())["health"]
    with urllib.request.urlopen(f"{address}/metrics", timeout=30) as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    samples = (sample for each in families for sample in each.samples if sample.name == f"commonwatt_{metric}")
    return {sample.labels[label] for sample in samples}


async def test_every_batch_is_stored_once_and_in_order_while_workers_come_and_go(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    homes = [SendingHome(f"h{number:02d}") for number in range(HOMES)]
    async with many_hub(tmp_path, homes[:-1], slots=MESSAGES) as hub:
        first, second, _ = await asyncio.gather(
            hub.start("intake"), hub.start("intake"), hub.start("web", "--web-port", "0")
        )
        pages = json.loads((hub.folder / "running.json").read_text())["web"]
        await enrol_at(hub, pages, homes[-1], capsys)
        street = Street(hub, homes, messages=MESSAGES)
        await street.send_until(lambda: street.receipted >= 60)
        await kill(first)
        await street.send_until(lambda: street.receipted >= 120)
        await signal_all(second, signal.SIGSTOP)
        await hub.start("intake")
        await street.send_until(lambda: street.receipted >= 220)  # by the third alone: the second's leases are over
        await signal_all(second, signal.SIGCONT)
        await street.send_until(lambda: street.is_done)
        await street.stop()
        assert await hub.stored() == {home.agent: list(range(1, MESSAGES + 1)) for home in homes}
        said = await asyncio.to_thread(status_at, hub)
        assert said["messages"] == {"stored": HOMES * MESSAGES, "refused": {}}
        assert set(said["received_through"]) == {home.agent for home in homes}  # type: ignore[call-overload]
        # By what the workers write down of themselves; the one that was paused may have to connect again.
        await asyncio.to_thread(wait_for, lambda: status_at(hub)["broker_connected"])
        machine = process_label("", number=1)
        wanted = {f"{machine}-intake-1", f"{machine}-intake-2"}
        await asyncio.to_thread(wait_for, lambda: label_values(hub, "intake_received_total", "process") == wanted)
        parts = await asyncio.to_thread(label_values, hub, "part_up", "part")
        assert parts == {"hub", "intake", "pages", "broker"}, "fixed names, whichever life the process is of"
