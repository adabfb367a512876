"""The demonstration's director: starts a street, a hub and an agent in every home, walks them through history and one
live day, and reports. Every program is a real process; the director only starts, paces and asks.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from protocols.enrolment.answer import build_answer, parse_answer
from protocols.slots import SLOT_S, Slot, slot_of
from protocols.toml_text import read_toml
from simulator.demo.clock import DirectedClock
from simulator.demo.home_line import HomeLine, HomeLines, LineFault
from simulator.demo.hubs.place import HubPlace
from simulator.demo.hubs.simple import SimpleHub
from simulator.demo.outbox import next_slot, waiting
from simulator.demo.processes import ChildProcesses, MemoryWatch, last_lines
from simulator.demo.truth import joined
from simulator.errors import DemoError
from simulator.services.loopback_client import free_port, get_json
from simulator.world.site import DAY_S, Site

COOP = "lindenweg"
LIVE_DAY = date(2026, 5, 6)
"""Its night is the one in which the first run of the month before falls due."""
LIVE_RATE = 600.0
REST_RATE = 1e8
BOARD_MEMBERS = 2
"""As many as have to approve a month's run; they are the first homes' members."""
HOLD_AFTER_BOUNDARY_S = 240
"""Time stands here until every home's batch is receipted: a device shows the same counter up to 300 s."""
FIRST_SLOWER = 10
"""So much slower is the first quarter hour: a busy computer must not skip the readings by which meters are known."""
NIGHT_S = 2 * SLOT_S
"""After midnight: what the hub does each night falls due in it."""
SLOWEST = 12


@dataclass
class Stage:
    """What one stage took. Units: seconds; cpu_s is that of all programs together."""

    name: str
    wall_s: float
    cpu_s: float


@dataclass
class Demo:
    """One demonstration in a folder of its own; `say` shows progress."""

    folder: Path
    seed: int
    homes: int
    history_days: int
    print_line: Callable[[str], None]
    wanted_ports: tuple[int, int] = (0, 0)
    """Where pages and broker should be, when free; 0 is any free port, so that many may run side by side."""
    troubles: Sequence[LineFault] = ()
    live_rate: float = LIVE_RATE
    counts_apart: bool = False
    make_programs: Callable[[HubPlace], SimpleHub] = SimpleHub
    stages: list[Stage] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tz = Site().tz
        midnight = datetime(LIVE_DAY.year, LIVE_DAY.month, LIVE_DAY.day, tzinfo=ZoneInfo(self.tz))
        self.start_s = int(midnight.timestamp())
        self.end_s = int((midnight + timedelta(days=1)).timestamp())
        self.folder.mkdir(parents=True, exist_ok=True)
        logs = self.folder / "logs"
        logs.mkdir(exist_ok=True)
        # One thread for every program's arithmetic: twelve homes share two cores.
        threads = "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"
        environment = {**os.environ, **dict.fromkeys(threads, "1")}
        # Some sixty programs start: without their compiled modules each would compile them anew.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        self.programs = ChildProcesses(logs, environment)
        self.memory = MemoryWatch(self.programs)
        self.clock = DirectedClock(self.folder / "clock.json", start_s=self.start_s)
        self.street_folder = self.folder / "street"
        self.web_port, self.broker_port = map(free_port, self.wanted_ports)
        while self.broker_port == self.web_port:
            self.broker_port = free_port(0)
        self.place = HubPlace(self.folder, self.programs, self.clock.path, self.web_port, self.broker_port)
        self.hub = self.make_programs(self.place)
        self.agents: dict[str, str] = {}
        self.members: dict[str, str] = {}
        self.street: dict[str, Any] = {}
        self.lines: dict[str, HomeLine] = {}
        self.cut: dict[str, Slot] = {}
        self._lines = HomeLines() if self.troubles else None
        self.slow_slots: dict[int, float] = {}

    @property
    def held_s(self) -> float:
        """Real seconds the live day took beyond its rate, waiting for homes and hub."""
        return sum(max(0.0, over_s) for over_s in self.slow_slots.values())

    @property
    def slowest(self) -> dict[str, float]:
        """The quarter hours (local time of their end) for which time stood longest, with the real seconds."""
        found = sorted(self.slow_slots.items(), key=lambda item: -item[1])[:SLOWEST]
        return {
            f"{datetime.fromtimestamp(at_s, ZoneInfo(self.tz)):%H:%M}": round(over_s, 2)
            for at_s, over_s in sorted(found)
        }

    @property
    def hub_url(self) -> str:
        """Where the pages are."""
        return self.place.url

    def start_street(self, faults: str) -> None:
        """The homes with their devices, the weather service and the residents, who wait for their links."""
        (script := self.folder / "faults.toml").write_text(faults, encoding="utf-8")
        first_day = datetime.fromtimestamp(self.start_s - (self.history_days + 1) * DAY_S, ZoneInfo("UTC")).date()
        options = {
            "--homes": self.homes,
            "--seed": self.seed,
            "--data": self.street_folder,
            "--clock": self.clock.path,
            "--first-day": first_day.isoformat(),
            "--hub": self.hub.url_for_homes,
            "--faults": script,
            "--residents": self.folder / "links.json",
        }
        self.place.start("street", "simulator", "street", *["--counts-apart"][: self.counts_apart], options=options)
        path = self.street_folder / "street.json"
        self.programs.wait("the street's devices", path.exists)
        self.street = json.loads(path.read_text(encoding="utf-8"))
        until = datetime.fromtimestamp(self.start_s, ZoneInfo("UTC")).strftime("%Y-%m-%dT%H:%MZ")
        past = {"--street": self.street_folder, "--days": self.history_days, "--until": until}
        given = [str(word) for option in past.items() for word in option]
        command = (sys.executable, "-m", "simulator", "history", *given)
        self._recordings = self.programs.start("recordings", command, finishes=True)  # send_history waits for it

    def make_hub(self) -> None:
        """A new hub's folder."""
        self.hub.make(name="Lindenweg Energy", coop=COOP, tz=self.tz)

    def start_hub(self) -> None:
        """The hub with its broker, told where the weather comes from."""
        settings = self.place.hub_folder / "hub.toml"
        site = self.street["site"]
        weather = f'\n[weather]\nurl = "{self.street["weather_url"]}"\nlatitude = {site["latitude"]}\n'
        # Whole months: the rule keeps the bytes, and so the hash, of before.
        text = settings.read_text(encoding="utf-8").replace('_fee = "by_day"', '_fee = "full_month"')
        text = self.hub.settings(text)
        if self.counts_apart:
            text = text.replace("derived_wh = 0 ", "derived_wh = 50 ").replace("_percent = 0 ", "_percent = 10 ")
        settings.write_text(text + weather + f"longitude = {site['longitude']}\n")
        read_toml(settings.read_text(encoding="utf-8"))
        self.hub.start()
        self.programs.wait("the hub's pages and broker", lambda: bool((self.ask_hub() or {}).get("broker_connected")))

    def enrol(self) -> None:
        """Invite every household, enrol its agent, and give the residents their links."""
        homes = self.street["homes"]
        listed = self.folder / "members.csv"
        since = datetime.fromtimestamp(self.start_s - self.history_days * DAY_S, ZoneInfo(self.tz)).date()
        board = ["yes"] * BOARD_MEMBERS + ["no"] * len(homes)
        rows = [
            f"{home['resident']},{home['id']}@example.org,{home['name']},{since},{is_board}"
            for home, is_board in zip(homes, board, strict=False)
        ]
        listed.write_text("\n".join(["name,email,home,since,board", *rows]) + "\n", encoding="utf-8")
        invited = self.hub_json("invite", "--list", str(listed), "--json")
        assert isinstance(invited, list)
        self.members = {str(made["home"]): str(made["member"]) for made in invited}
        with ThreadPoolExecutor(max_workers=2) as pair:
            agents = pair.map(lambda made: self._enrol_agent(str(made["home"]), self.hub.token(made)), invited)
            self.agents = dict(zip(self.members, agents, strict=True))
        self.hub.admit()
        self.print_line(f"  {len(self.agents)} agents enrolled: {', '.join(self.agents.values())}")

    def _enrol_agent(self, home: str, token: str) -> str:
        config = self._agent_config(home)
        secret = self.folder / f"{home}.token"
        secret.touch(mode=0o600)
        secret.write_text(token, encoding="ascii")
        self.place.run("edge_agent", "enrol", "--config", str(config), "--coop", COOP, "--token-file", str(secret))
        secret.unlink()
        enrolment = config.parent / "data" / "enrolment.json"
        answer = parse_answer(enrolment.read_bytes())
        for trouble in self.troubles:
            if trouble.home == home and self._lines is not None:
                tls = self.hub.line_tls(answer, config.parent / "data")
                cut, damaged = trouble.cut_before, trouble.damaged
                line = self._lines.add(broker_port=answer.broker_port, cut_before=cut, damaged=damaged, tls=tls)
                self.lines[home], self.cut[home] = line, cut
                told = replace(answer, broker_port=line.port, enrol_port=line.enrol_port)
                enrolment.write_text(build_answer(told), encoding="utf-8")
        return answer.agent

    def sign_in_links(self) -> dict[str, str]:
        """A fresh one-time link for the member of each home."""
        members = list(self.members.values())
        person = ("--by", members[0], "--reason", "first visit to the pages")
        links = [line["link"] for line in self.hub_lines("sign-in", *person, "--json", "--member", *members)]
        return dict(zip(self.members, links, strict=True))

    def wake_residents(self) -> None:
        """Give the residents their links; done when all have signed in and told the hub of their appliances."""
        secret = self.folder / "links.new"
        secret.touch(mode=0o600)
        secret.write_text(json.dumps(self.sign_in_links()), encoding="utf-8")
        secret.replace(self.folder / "links.json")

        def awake() -> bool:
            found = get_json(f"{self.street['control_url']}/status.json") or {}
            residents = found.get("residents")
            return isinstance(residents, dict) and residents["signed_in"] == len(self.members)

        self.programs.wait("the residents to sign in", awake)

    def send_history(self) -> None:
        """Recordings of the past weeks through every agent; done when the hub has receipted the last slot."""
        recordings, log_path = self._recordings.process, self._recordings.log_path
        self.programs.wait(
            "the recordings to be written",
            lambda: recordings.poll() is not None,
            progress=lambda: log_path.stat().st_size,
        )
        if recordings.returncode:
            raise DemoError(f"simulator history: {last_lines(self._recordings.log_path)}")
        for home in self.agents:
            config = self._agent_config(home)
            options = {"--config": config, "--clock": self.clock.path, "--history": config.parent / "recording.csv"}
            self.place.start(f"agent-{home}", "edge_agent", "run", options=options)
        last = slot_of(self.start_s) - 1
        kept_back = sum(last + 1 - cut for cut in self.cut.values())
        expected = len(self.agents) * self.history_days * 96 - kept_back
        shown, stored = 0.0, 0

        def arrived() -> bool:
            nonlocal shown, stored
            status = self.ask_hub() or {}
            stored = status["messages"]["stored"] if status else stored
            if time.monotonic() - shown > 2 and status:
                shown = time.monotonic()
                self.print_line(f"  {status['messages']['stored']} of about {expected} batches stored")
            return self._all_receipted(status, through=last) and self._all_sealed(last + 1)

        # Seldom: each question is work for the hub, which has its hands full.
        self.programs.wait("the history to arrive", arrived, every_s=0.25, progress=lambda: stored)

    def live_day(self, between: Mapping[int, Callable[[], None]]) -> None:
        """One day at `live_rate`; a boundary is passed only when every home and the hub have kept up.

        `between` is what else is done at a boundary (unix s) while time stands.
        """
        boundary, rate = self.start_s, self.live_rate / FIRST_SLOWER
        self.clock.run_until(boundary + HOLD_AFTER_BOUNDARY_S, rate=rate)
        while boundary < self.end_s + NIGHT_S:
            boundary += SLOT_S
            began_s = time.monotonic()
            self.clock.run_until(boundary + HOLD_AFTER_BOUNDARY_S, rate=rate)
            rate = self.live_rate
            self.programs.wait("time to pass", lambda: self.clock.now() >= boundary + 60)  # noqa: B023 - waited for here
            if (event := self.hub.live_event(boundary - self.start_s)) is not None:
                self.print_line(f"  {datetime.fromtimestamp(boundary, ZoneInfo(self.tz)):%H:%M}  {event}")
            self.keep_up(boundary)
            if boundary in between:
                between[boundary]()
            over_s = time.monotonic() - began_s - SLOT_S / self.live_rate
            self.slow_slots[boundary] = over_s
            if boundary % 3600 == SLOT_S:
                self.ask_street("look.json")
            if (boundary - self.start_s) % (3 * 3600) == 0 and boundary <= self.end_s:
                self.print_line(f"  {datetime.fromtimestamp(boundary, ZoneInfo(self.tz)):%H:%M}")

    def keep_up(self, boundary: int) -> None:
        """Wait until every home's batch of the slot before `boundary` is receipted and the hub's due jobs are done."""

        def kept_up() -> bool:
            status = self.ask_hub() or {}
            done = bool(status) and int(status["jobs_done_through_s"]) > boundary and status["jobs_due"] == 0
            through = slot_of(boundary) - 1
            return done and self._all_receipted(status, through=through) and self._all_sealed(through + 1)

        self.programs.wait("every home and the hub to keep up", kept_up, every_s=0.06)

    def mend_line(self, home: str) -> int:
        """Let a home's line carry again; done when all it kept is receipted. How many batches that were."""
        assert self._lines is not None
        kept = next_slot(self.data_of(home)) - self.cut.pop(home)
        self._lines.mend(self.lines[home])
        self.programs.wait(f"what {home} kept while its line was cut", lambda: waiting(self.data_of(home)) == 0)
        return kept

    def keep_serving(self) -> None:
        """From here time goes as outside."""
        self.clock.run_until(None, rate=1.0)

    def rest_until(self, day: date, *, local_hour: int) -> None:
        """End the homes, their agents and the hub, and let time pass to this local hour."""
        self.programs.rest()
        until = datetime(day.year, day.month, day.day, local_hour, tzinfo=ZoneInfo(self.tz)).timestamp()
        self.clock.run_until(until, rate=REST_RATE)
        self.programs.wait("time to pass", lambda: self.clock.now() >= until)

    def close(self) -> None:
        """Leave nothing running."""
        self.programs.stop()
        self.hub.close()
        if self._lines is not None:
            self._lines.close()
            self._lines = None

    def ask_hub(self) -> dict[str, Any] | None:
        """The hub's status, or None while it does not answer."""
        try:
            running = json.loads((self.place.hub_folder / "running.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return get_json(f"{self.hub_url}/api/status.json", key=running["status_key"])

    def ask_truth(self, from_s: int, to_s: int) -> dict[str, Any]:
        """What really happened in the street, asked day by day: between two days its devices answer. Raises: DemoError.

        The form is that of a single answer, see `joined`.
        """
        starts = range(from_s, to_s, DAY_S)
        return joined([self.ask_street(f"truth.json?from={at}&to={min(at + DAY_S, to_s)}") for at in starts])

    def ask_street(self, what: str) -> dict[str, Any]:
        """An answer of the street's control port. Raises: DemoError."""
        found = get_json(f"{self.street['control_url']}/{what}", timeout_s=60)
        if found is None:
            raise DemoError(f"the street does not answer /{what.partition('?')[0]}; see {self.folder}/logs/street.log")
        return found

    @contextmanager
    def stage(self, name: str, words: str) -> Iterator[None]:
        """Time a stage and announce its start."""
        self.print_line(words)
        wall_s, cpu_s = time.monotonic(), self.cpu_s()
        yield
        self.stages.append(Stage(name, time.monotonic() - wall_s, self.cpu_s() - cpu_s))

    def cpu_s(self) -> float:
        """CPU seconds of the director, what it ran to the end, and all running programs."""
        own = os.times()
        return (
            own.user
            + own.system
            + own.children_user
            + own.children_system
            + sum(p.cpu_s() for p in (*self.programs.engines, *self.programs.running))
        )

    def hub_json(self, *arguments: str) -> object:
        """What a command of the hub prints as JSON."""
        return json.loads(self.place.hub(*arguments))

    def hub_lines(self, *arguments: str) -> list[Any]:
        """What a command of the hub prints as one JSON document a line."""
        return [json.loads(line) for line in self.place.hub(*arguments).splitlines()]

    def _all_receipted(self, status: dict[str, Any], *, through: Slot) -> bool:
        """Everything but what waits behind a line that is cut."""
        received = status.get("received_through")
        return isinstance(received, dict) and all(
            received.get(agent, 0) >= min(through, self.cut.get(home, through + 1) - 1)
            for home, agent in self.agents.items()
        )

    def _all_sealed(self, before: Slot) -> bool:
        """Whether the homes nobody hears of have measured on."""
        return all(next_slot(self.data_of(home)) >= before for home in self.cut)

    def _agent_config(self, home: str) -> Path:
        return self.street_folder / "homes" / home / "agent.toml"

    def data_of(self, home: str) -> Path:
        return self._agent_config(home).parent / "data"
