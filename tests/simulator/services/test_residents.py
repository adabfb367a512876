"""Members sign in and answer as a browser would, decide by what a prompt proposes, and really move their runs."""

import asyncio
import json
import threading
import time
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs

import pytest

from protocols.timeline import Clock, Timeline
from simulator.errors import SimulatorError
from simulator.services.member_client import MemberClient, MemberRequestError, OfferedPrompt
from simulator.services.residents import Residents, decide, read_links
from simulator.services.street_server import RunningStreet
from simulator.world.homes import SimulatedHome
from simulator.world.site import DAY_S
from simulator.world.street import Street
from tests.simulator.sim_process import running

FIRST_DAY = 20600
NOW_S = (FIRST_DAY + 1) * DAY_S + 8 * 3600
TOKEN = "one-time-token"


class Page(BaseHTTPRequestHandler):
    """A stand-in for the hub's member pages: the same addresses, checks and shapes."""

    open_prompts: ClassVar[list[dict[str, object]]] = []
    answers: ClassVar[list[tuple[str, str]]] = []
    appliances: ClassVar[list[object]] = []
    answer_status: ClassVar[int] = 303

    def do_GET(self) -> None:
        if self.headers.get("Cookie") != "cw-session=abc":
            self.reply(403)
        elif self.path == "/prompts.json":
            self.reply(200, json.dumps({"now_s": NOW_S, "open": self.open_prompts, "past": []}))
        else:
            self.reply(404)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        same_origin = self.headers.get("Origin") == f"http://{self.headers['Host']}"
        if same_origin and self.path == f"/sign-in/{TOKEN}":
            self.reply(303, headers={"Set-Cookie": "cw-session=abc; HttpOnly; Path=/", "Location": "/"})
        elif self.headers.get("Cookie") != "cw-session=abc" or not same_origin:
            self.reply(403)
        elif self.path == "/my-home/appliances":
            self.appliances.append(json.loads(body))
            self.reply(200, "{}")
        else:
            self.answers.append((self.path.removeprefix("/prompts/"), parse_qs(body)["answer"][0]))
            self.reply(self.answer_status, headers={"Location": "/prompts"})

    def reply(self, status: int, content: str = "", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content.encode())

    def log_message(self, *_arguments: object) -> None:
        """Keep quiet."""


@pytest.fixture
def hub() -> Iterator[str]:
    Page.open_prompts, Page.answers, Page.appliances, Page.answer_status = [], [], [], 303
    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def fresh_street() -> Street:
    return Street(seed=7, homes=12, first_day=FIRST_DAY)


def prompt_for(street: Street, home: SimulatedHome, *, proposed_s: int = NOW_S + 5400) -> OfferedPrompt:
    """A question about a run this home has planned for later today."""
    runs = street.physics(home.id).plan.runs_between(NOW_S + 3 * 3600, NOW_S + 14 * 3600)
    run = next(each for each in runs if each.start_s > NOW_S + 3 * 3600)
    return OfferedPrompt("p-1", run.appliance, run.planned_s // 900, proposed_s // 900, 1000)


def asked(street: Street, answer: str) -> tuple[SimulatedHome, OfferedPrompt]:
    """A home, and a question it answers so."""
    for home in street.homes:
        for later in range(0, 4 * 3600, 900):
            try:
                prompt = prompt_for(street, home, proposed_s=NOW_S + 3600 + later)
            except StopIteration:
                continue
            if "prompt.shift" in home.purposes and decide(street, home, prompt, now_s=NOW_S)[0] == answer:
                return home, prompt
    raise AssertionError(f"nobody answers {answer}")


def as_json(prompt: OfferedPrompt) -> dict[str, object]:
    return {
        "id": prompt.id,
        "appliance": prompt.appliance,
        "usual_slot": prompt.usual_slot,
        "proposed_slot": prompt.proposed_slot,
        "energy_wh": prompt.energy_wh,
        "answer": None,
    }


async def test_a_yes_moves_the_run_and_is_given_once(hub: str) -> None:
    street, untouched = fresh_street(), fresh_street()
    home, prompt = asked(street, "yes")
    residents = Residents(street, {home.id: MemberClient(f"{hub}/sign-in/{TOKEN}")}, lambda: NOW_S)
    Page.open_prompts = [as_json(prompt)]
    for _ in range(3):
        tally = await residents.answer_prompts()
    assert Page.answers == [("p-1", "yes")]
    assert len(Page.appliances) == 1
    assert isinstance(Page.appliances[0], list)
    assert {entry["kind"] for entry in Page.appliances[0]} == {each.kind for each in home.appliances}
    assert (tally.signed_in, tally.seen, tally.yes, tally.problems) == (1, 1, 1, 0)
    assert tally.checked_through_s == NOW_S

    start_s = prompt.proposed_slot * 900
    plan = street.physics(home.id).plan
    moved = next(run for run in plan.runs_between(start_s, start_s + 300) if run.prompt == "p-1")
    assert moved.start_s == start_s
    assert tally.moved_wh == pytest.approx(moved.energy_ws / 3600)
    after, before = (each.physics(home.id).day(FIRST_DAY + 1).power_w[0].sum() for each in (street, untouched))
    assert after == before or moved.end_s > (FIRST_DAY + 2) * DAY_S
    steps = (
        street.physics(home.id).day(FIRST_DAY + 1).power_w[0],
        untouched.physics(home.id).day(FIRST_DAY + 1).power_w[0],
    )
    assert (steps[0] != steps[1]).any()


async def test_a_no_moves_nothing(hub: str) -> None:
    street = fresh_street()
    home, prompt = asked(street, "no")
    residents = Residents(street, {home.id: MemberClient(f"{hub}/sign-in/{TOKEN}")}, lambda: NOW_S)
    Page.open_prompts = [as_json(prompt)]
    await residents.answer_prompts()
    assert Page.answers == [("p-1", "no")]
    assert not street.physics(home.id).plan.moved


async def test_an_answer_the_hub_refuses_moves_nothing_and_is_not_repeated(hub: str) -> None:
    street = fresh_street()
    home, prompt = asked(street, "yes")
    residents = Residents(street, {home.id: MemberClient(f"{hub}/sign-in/{TOKEN}")}, lambda: NOW_S)
    Page.open_prompts, Page.answer_status = [as_json(prompt)], 409
    for _ in range(2):
        tally = await residents.answer_prompts()
    assert len(Page.answers) == 1
    assert (tally.problems, tally.yes) == (1, 0)
    assert not street.physics(home.id).plan.moved


async def test_homes_that_do_not_consent_are_not_looked_after(hub: str) -> None:
    street = fresh_street()
    home = next(each for each in street.homes if not each.purposes)
    Page.open_prompts = [{"id": "x"}]
    residents = Residents(street, {home.id: MemberClient(f"{hub}/sign-in/{TOKEN}")}, lambda: NOW_S)
    tally = await residents.answer_prompts()
    assert (tally.signed_in, tally.seen, tally.problems) == (1, 0, 0)
    assert not Page.appliances


async def test_a_hub_that_is_away_is_tried_again(hub: str) -> None:
    street = fresh_street()
    good, bad = MemberClient(f"{hub}/sign-in/{TOKEN}"), MemberClient("http://127.0.0.1:9/sign-in/secret-link")
    residents = Residents(street, {"h01": bad, "h02": good}, lambda: NOW_S)
    for _ in range(2):
        tally = await residents.answer_prompts()
    assert (tally.signed_in, tally.problems) == (1, 2)


async def test_a_running_street_lets_its_residents_look_when_asked(hub: str, tmp_path: Path) -> None:
    street = fresh_street()
    home, prompt = asked(street, "yes")
    Page.open_prompts = [as_json(prompt)]
    served = RunningStreet(street, Clock(lambda: NOW_S), folder=tmp_path)
    await served.start()
    try:
        links = tmp_path / "links.json"
        links.write_text(json.dumps({home.id: f"{hub}/sign-in/{TOKEN}"}))
        served.residents = Residents(street, read_links(links, street), lambda: NOW_S)
        look, status, truth = [
            await asyncio.to_thread(get, served.urls["control_url"] + path)
            for path in ("/look.json", "/status.json", f"/truth.json?from={NOW_S - 900}&to={NOW_S}")
        ]
    finally:
        await served.close()
    assert look["yes"] == status["residents"]["yes"] == 1
    assert status["devices"] == sum(len(each.devices) for each in street.homes)
    assert truth["homes"][home.id]["energy_wh"]["load"][0] > 0
    moved = street.physics(home.id).plan.moved.values()
    assert [run.prompt for run in moved] == ["p-1"]


def test_a_street_waits_for_its_residents_links(hub: str, tmp_path: Path) -> None:
    clock, links, data = tmp_path / "clock.json", tmp_path / "links.json", tmp_path / "street"
    clock.write_text(Timeline(0, NOW_S, 0, None).text())
    options = ("--homes", "2", "--data", str(data), "--clock", str(clock), "--residents", str(links))
    with running("street", *options):
        control_url = json.loads((data / "street.json").read_text())["control_url"]
        assert get(f"{control_url}/status.json")["residents"] is None
        beside = tmp_path / "links.part"
        beside.write_text(json.dumps({"h01": f"{hub}/sign-in/{TOKEN}"}))
        beside.replace(links)
        deadline = time.monotonic() + 30
        while (get(f"{control_url}/status.json")["residents"] or {}).get("checked_through_s") != NOW_S:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert get(f"{control_url}/status.json")["residents"]["signed_in"] == 1


def get(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url, timeout=20) as answer:
        content = json.load(answer)
    assert isinstance(content, dict)
    return content


def test_decisions_depend_on_what_is_proposed_and_nothing_else() -> None:
    first, second = fresh_street(), fresh_street()
    choices = []
    for home in first.homes:
        for later in range(0, 4 * 3600, 900):
            try:
                prompt = prompt_for(first, home, proposed_s=NOW_S + 3600 + later)
            except StopIteration:
                continue
            renamed = OfferedPrompt("other", *[getattr(prompt, name) for name in prompt.__slots__[1:]])
            choice = decide(first, home, prompt, now_s=NOW_S)[0]
            assert decide(second, home, renamed, now_s=NOW_S)[0] == choice
            choices.append(choice)
    assert 0.25 < choices.count("yes") / len(choices) < 0.8


def test_nobody_can_move_what_is_not_planned_or_past() -> None:
    street = fresh_street()
    home, prompt = asked(street, "yes")
    for changed in (
        {"appliance": "sauna"},
        {"proposed_slot": NOW_S // 900},
        {"usual_slot": prompt.usual_slot + 96 * 40},
    ):
        fields = {name: getattr(prompt, name) for name in prompt.__slots__} | changed
        choice, run = decide(street, home, OfferedPrompt(**fields), now_s=NOW_S)
        assert choice != "yes"
        assert run is None
    for back in range(40):
        fields = {name: getattr(prompt, name) for name in prompt.__slots__} | {"proposed_slot": NOW_S // 900 - back}
        assert decide(street, home, OfferedPrompt(**fields), now_s=NOW_S)[0] != "yes"


async def test_a_link_is_spent_once_and_never_shown(hub: str) -> None:
    client = MemberClient(f"{hub}/sign-in/wrong-token")
    with pytest.raises(MemberRequestError) as caught:
        client.sign_in()
    assert "wrong-token" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "[]", '{"h99": "http://127.0.0.1:1/sign-in/x"}', '{"h01": "ftp://127.0.0.1/sign-in/x"}']
)
def test_a_file_of_links_that_is_none_is_refused_without_showing_it(tmp_path: Path, text: str) -> None:
    path = tmp_path / "links.json"
    path.write_text(text)
    with pytest.raises(SimulatorError) as caught:
        read_links(path, fresh_street())
    assert "sign-in/x" not in str(caught.value)
