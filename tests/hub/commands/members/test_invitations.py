"""`commonwatt-hub` as a person meets it: what its commands make and print, and that every mistake is one line."""

import asyncio
import json
import stat
from pathlib import Path

import pytest

from edge_agent.setup.enrolment import enrol
from edge_agent.uplink.identity import own_key
from hub.__main__ import main
from hub.folder.clock import open_clock
from hub.folder.first_settings import settings_text
from hub.folder.keys.hub_key import load_key, make_key
from hub.folder.keys.salt_key import load_own_secret
from hub.folder.opening import open_hub
from hub.folder.paths import running_alone
from hub.folder.settings import parse_settings
from hub.trust.enrolment import Enrolment
from protocols.enrolment.handshake import build_request
from protocols.enrolment.token import parse_token
from protocols.errors import IdentityError, SettingsError
from protocols.timeline import REAL, Clock, Timeline
from tests.hub.sending_home import COOP

INIT = ["init", "--name", 'Sol "y" Viento', "--coop", "sol", "--tz", "Europe/Madrid"]


def run(folder: Path, *arguments: str) -> int:
    return main([arguments[0], "--data", str(folder), *arguments[1:]])


@pytest.fixture
def hub(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert run(tmp_path / "hub", *INIT) == 0
    capsys.readouterr()
    return tmp_path / "hub"


def error_of(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line a person sees."""
    shown = capsys.readouterr()
    lines = shown.err.strip().splitlines()
    assert len(lines) == 1, shown.err
    assert "Traceback" not in shown.err
    assert lines[0].startswith("commonwatt-hub: ")
    return lines[0]


def test_init_makes_a_hub_for_its_owner_alone(hub: Path) -> None:
    assert sorted(path.name for path in hub.iterdir()) == ["hub.key", "hub.sqlite", "hub.toml", "salt.key"]
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in hub.iterdir())
    assert stat.S_IMODE(hub.stat().st_mode) == 0o700
    settings = parse_settings((hub / "hub.toml").read_bytes(), name="hub.toml", folder=hub)
    assert settings.coop.name == 'Sol "y" Viento'


def test_init_never_touches_a_hub_that_is_there(hub: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key = (hub / "hub.key").read_bytes()
    assert run(hub, *INIT) == 1
    assert "there is a hub here already" in error_of(capsys)
    assert (hub / "hub.key").read_bytes() == key


def test_init_leaves_a_folder_alone_that_holds_something_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "holiday.jpg").write_bytes(b"sun")
    assert run(folder, *INIT) == 1
    assert "not empty (holiday.jpg is there): give --data a folder of the hub's own" in error_of(capsys)
    assert [path.name for path in folder.iterdir()] == ["holiday.jpg"]


def test_init_cut_short_is_finished_by_running_it_again(hub: Path) -> None:
    key = (hub / "hub.key").read_bytes()
    (hub / "hub.toml").unlink()
    assert run(hub, *INIT) == 0
    assert (hub / "hub.key").read_bytes() == key


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--coop", "Sol!", "--name", "N", "--tz", "Europe/Madrid"], "--coop 'Sol!': expected 1 to 32 of a-z"),
        (["--coop", "sol", "--name", " ", "--tz", "Europe/Madrid"], "--name: expected 1 to 80 printable"),
        (["--coop", "sol", "--name", "N", "--tz", "Mars/Base"], "--tz 'Mars/Base': expected a time zone"),
        (["--coop", "sol", "--name", "N", "--tz", "UTC", "--currency", "euro"], "--currency 'euro'"),
        (["--coop", "sol", "--name", "N", "--tz", "UTC", "--clock", "none.json"], "none.json: cannot read the clock"),
    ],
)
def test_a_wrong_init_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert run(tmp_path / "hub", "init", *arguments) == 1
    assert said in error_of(capsys)
    assert not (tmp_path / "hub").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["run"],
        ["invite", "--member", "A", "--email", "a@b.c"],
        ["sign-in", "--by", "m01", "--member", "m01"],
        ["status"],
        ["verify"],
        ["settle", "--day", "2026-01-01"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_every_command_on_an_empty_folder_says_how_to_begin(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert run(tmp_path, *arguments) == 1
    assert "no hub here; create one with: commonwatt-hub init" in error_of(capsys)
    assert list(tmp_path.iterdir()) == []


def test_an_invitation_makes_a_member_with_a_home_and_a_token(hub: Path, capsys: pytest.CaptureFixture[str]) -> None:
    person = ["--member", "Household One", "--email", "one@example.org"]
    invite = ["invite", *person, "--board", "--since", "2026-02-01", "--json"]
    assert run(hub, *invite) == 0
    first = json.loads(capsys.readouterr().out)
    assert (first["member"], first["home"]) == ("m01", "h01")
    parse_token(first["token"])
    assert run(hub, "invite", "--email", "ONE@example.org", "--json") == 1
    assert "say who invites: --by with a board member's id" in error_of(capsys)
    assert run(hub, "invite", "--email", "ONE@example.org", "--json", "--by", "m01") == 0
    again = json.loads(capsys.readouterr().out)
    assert again["member"] == "m01", "a home without an agent gets a new token, not a second membership"
    assert again["token"] != first["token"]
    assert run(hub, "invite", "--member", "Household Two", "--email", "b@c.d", "--by", "m01") == 0
    assert "m02" in capsys.readouterr().out

    async def look() -> None:
        _, _, store = await open_hub(hub, clock=Clock(real=lambda: 0.0))
        member = await store.member("m01")
        changes = [(each.by, each.kind, each.member, each.subject) for each in await store.member_changes()]
        await store.close()
        assert changes[2:] == [("m01", "invited", "m01", "h01"), ("m01", "joined", "m02", "h02")]
        assert member is not None
        assert member.is_board
        assert member.joined_at == 1769900400, "midnight in Madrid"

    asyncio.run(look())
    assert first["token"].encode() not in (hub / "hub.sqlite").read_bytes()


KNOWN = ["invite", "--email", "one@example.org"]


@pytest.fixture
def known(hub: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A hub with member m01, whose home has an agent."""
    person = ["--member", "Household One", "--home", "Lane 1", "--language", "es", "--since", "2026-02-01"]
    assert run(hub, *KNOWN, *person, "--json") == 0
    enrol_with(hub, json.loads(capsys.readouterr().out)["token"])
    return hub


def enrol_with(hub: Path, token: str, *, folder: str = "agent") -> str:
    """Enrol an agent with this token and return its name."""

    async def work() -> str:
        settings, signer, store = await open_hub(hub, clock=open_clock(None))
        try:
            desk = Enrolment(
                store,
                coop=settings.coop,
                signer=signer,
                secret=load_own_secret(hub),
                broker=lambda: ("127.0.0.1", 1883),
                clock=open_clock(None),
                agents_changed=nothing,
            )
            data = hub.parent / folder
            request = build_request(own_key(data), token=parse_token(token), coop="sol").encode()
            status, body = await desk(request)
            assert status == 200, body
            return enrol(data, token, coop="sol", post=lambda _body: body).enrolment.agent
        finally:
            await store.close()

    return asyncio.run(work())


async def nothing() -> None:
    return None


def agents(hub: Path) -> dict[str, bool]:
    """Every agent, and whether it still counts."""

    async def look() -> dict[str, bool]:
        _, _, store = await open_hub(hub, clock=open_clock(None))
        try:
            return {agent.id: agent.revoked_at is None for agent in await store.agents()}
        finally:
            await store.close()

    return asyncio.run(look())


def test_a_known_address_does_not_hand_over_a_home_that_has_its_agent(
    known: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It used to print a token with which any second agent silently shut out the first."""
    before = agents(known)
    assert run(known, *KNOWN) == 1
    said = error_of(capsys)
    (agent,) = before
    assert f"one@example.org is the known member m01 Household One, whose home h01 has the agent {agent}" in said
    assert "nothing was changed" in said
    for way in (
        "A new agent in its place: add --replace",
        "A second meter: add it to",
        "add --another-agent for one more agent",
        "Another home of theirs: --new-home-for m01",
    ):
        assert way in said
    assert agents(known) == before == {agent: True}


def test_a_replacement_is_asked_for_and_shuts_out_the_old_agent(
    known: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (old,) = agents(known)
    assert run(known, *KNOWN, "--replace") == 0
    shown = capsys.readouterr().out
    assert "known member m01 Household One, home h01 Lane 1" in shown
    assert f"the new agent takes over from {old}, which is shut out once the token is used" in shown
    assert agents(known) == {old: True}, "not before the token is used"
    assert run(known, *KNOWN, "--replace", "--json") == 0
    new = enrol_with(known, json.loads(capsys.readouterr().out)["token"], folder="new")
    assert agents(known) == {old: False, new: True}


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--member", "Somebody Else"], "--member 'Somebody Else': one@example.org is the known member m01"),
        (["--home", "Garage"], "whose home is h01 'Lane 1'; for another home of theirs: --new-home-for m01"),
        (["--board"], "use: commonwatt-hub board --appoint m01"),
        (["--language", "en"], "whose language is es; leave it out"),
        (["--since", "2026-03-01"], "the day on which a member joined cannot change"),
    ],
)
@pytest.mark.parametrize("more", [[], ["--replace"]])
def test_no_flag_is_left_out_for_a_known_address(
    known: Path, capsys: pytest.CaptureFixture[str], flags: list[str], more: list[str], said: str
) -> None:
    assert run(known, *KNOWN, *flags, *more) == 1
    assert said in error_of(capsys)


def test_what_is_said_of_a_known_member_and_true_is_no_hindrance(
    known: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    same = ["--member", "Household One", "--home", "Lane 1", "--language", "es", "--since", "2026-02-01"]
    assert run(known, *KNOWN, *same, "--replace") == 0
    assert "token for the home's agent" in capsys.readouterr().out


def test_a_replacement_needs_something_to_replace(hub: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(hub, *KNOWN, "--member", "Household One", "--replace") == 1
    assert "--replace: no member has the address one@example.org" in error_of(capsys)
    assert run(hub, *KNOWN) == 1
    assert "one@example.org is new here: give --member NAME as well" in error_of(capsys)
    assert run(hub, *KNOWN, "--member", "Household One") == 0
    capsys.readouterr()
    assert run(hub, *KNOWN, "--replace") == 1
    assert "--replace: home h01 of m01 has no agent; invite without --replace" in error_of(capsys)


def test_a_board_member_is_appointed_and_removed_later(known: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(known, "invite", "--member", "Household Two", "--email", "b@c.d", "--board") == 0
    capsys.readouterr()
    assert run(known, "board", "--remove", "m02") == 1
    assert "'' is not on the board: say who does this, with --by and a board member's id" in error_of(capsys)
    by = ["--by", "m02"]
    assert run(known, "board", "--remove", "m02", *by) == 1
    assert "m02 is the only board member: appoint another one first" in error_of(capsys)
    assert run(known, "board", "--appoint", "m01", *by) == 0
    assert [line.split("  ")[:2] for line in capsys.readouterr().out.splitlines()] == [
        ["m01", "Household One"],
        ["m02", "Household Two"],
    ]
    assert run(known, "board", "--appoint", "m01", *by) == 1
    assert "m01 holds the role already (board): nothing was changed" in error_of(capsys)
    assert run(known, "board", "--remove", "m02", "--json", *by) == 0
    assert [row["member"] for row in json.loads(capsys.readouterr().out)] == ["m01"]
    assert run(known, "board", "--remove", "m01", *by) == 1
    assert "'m02' is not on the board" in error_of(capsys)
    assert run(known, "board", "--appoint", "m09", "--by", "m01") == 1
    assert "there is no member 'm09'; commonwatt-hub members lists them" in error_of(capsys)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--member", "", "--email", "a@b.c"], "--member: expected a name"),
        (["--member", "A\nB", "--email", "a@b.c"], "--member: expected a name"),
        (["--member", "A", "--email", "nowhere"], "--email 'nowhere': expected an address"),
        (["--member", "A", "--email", "a@b.c", "--language", "x1"], "--language 'x1'"),
        (["--member", "A", "--email", "a@b.c", "--home", "x" * 99], "--home: expected a name"),
    ],
)
def test_a_wrong_invitation_is_one_line(
    hub: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert run(hub, "invite", *arguments) == 1
    assert said in error_of(capsys)


def test_a_sign_in_link_leads_to_the_pages(hub: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(hub, "invite", "--member", "Household One", "--email", "a@b.c") == 0
    capsys.readouterr()
    assert run(hub, "sign-in", "--by", "m01", "--member", "m01") == 1, "m01 is not on the board yet"
    assert "board --appoint" in error_of(capsys)
    assert run(hub, "board", "--appoint", "m01") == 0
    capsys.readouterr()
    assert run(hub, "sign-in", "--by", "m01", "--member", "m01") == 0
    assert capsys.readouterr().out.startswith("http://127.0.0.1:8400/sign-in/")
    assert run(hub, "sign-in", "--by", "m01", "--member", "m09") == 1
    assert "there is no member 'm09'; members: m01" in error_of(capsys)


def test_status_tells_how_the_hub_stands(hub: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(hub, "status", "--json") == 0
    status = json.loads(capsys.readouterr().out)
    assert (status["coop"], status["is_running"], status["messages_stored"]) == ("sol", False, 0)
    assert run(hub, "invite", "--member", "Household One", "--email", "one@example.org") == 0
    capsys.readouterr()
    assert run(hub, "status") == 0
    said = capsys.readouterr().out
    assert "is running: no" in said
    assert "  home: h01, agent: none yet, last slot: none yet, messages: 0" in said


def test_one_hub_at_a_time_runs_on_a_folder(hub: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with running_alone(hub):
        assert run(hub, "run") == 1
        assert "a hub is already running on this folder" in error_of(capsys)


def test_a_key_others_can_read_is_refused(hub: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (hub / "hub.key").chmod(0o644)
    assert run(hub, "status") == 1
    assert "other users can read the hub's key; fix it with: chmod 600" in error_of(capsys)
    (hub / "hub.key").chmod(0o600)
    (hub / "hub.key").write_text("nonsense")
    assert run(hub, "status") == 1
    assert "expected an Ed25519 private key in PEM form" in error_of(capsys)


def test_a_key_is_made_once(tmp_path: Path) -> None:
    made = make_key(tmp_path / "k")
    assert load_key(tmp_path / "k").private_bytes_raw() == made.private_bytes_raw()
    with pytest.raises(IdentityError, match="already"):
        make_key(tmp_path / "k")


def test_a_moved_store_is_refused(hub: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (hub / "hub.toml").read_text()
    (hub / "hub.toml").write_text(text.replace('id = "sol"', 'id = "luna"'))
    assert run(hub, "status") == 1
    assert "belongs to co-op sol in Europe/Madrid, not to luna" in error_of(capsys)


def test_the_hub_lives_by_the_clock_file(hub: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clock = tmp_path / "clock.json"
    clock.write_text(Timeline(0, 86_400, 0, None).text())
    assert run(hub, "invite", "--member", "A", "--email", "a@b.c", "--clock", str(clock)) == 0
    clock.write_text("{")
    capsys.readouterr()
    assert run(hub, "status", "--clock", str(clock)) == 1
    assert "not a timeline" in error_of(capsys)
    assert REAL.at(5.0) == 5.0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("[web]", "[web"), "not a TOML file"),
        (('id = "street"', 'id = "A b"'), "coop.id: expected 1 to 32 of a-z, 0-9 and -"),
        (('tz = "Europe/Madrid"', 'tz = "Nowhere"'), "coop.tz: expected a time zone like Europe/Madrid"),
        (("port = 8400", 'port = "8400"'), "web.port: expected a whole number from 0 to 65535"),
        (("port = 8400", "port = 99999"), "web.port: expected a whole number from 0 to 65535"),
        (("port = 8400", "prot = 8400"), "web.prot: no such setting; expected one of host, https, names, port"),
        (("https = false", "https = 0"), "web.https: expected true or false"),
        (("[web]", "[website]"), "[website]: no such setting"),
        (('kind = "auto"', 'kind = "emqx"'), "broker.kind: expected one of auto, iotcore, mosquitto, external"),
        (('kind = "auto"', 'kind = "auto"\nusername = "x"'), 'broker.kind: expected "external" with username'),
        (('kind = "auto"', 'kind = "external"\nca_file = "no.pem"'), "broker.ca_file: expected a file that exists"),
        (('host = "127.0.0.1"\nport = 1883', 'host = "0.0.0.0"\nport = 1883'), "broker.host: expected 127.0.0.1"),
        (('method = "proportional"', 'method = "magic"'), "rules.method: expected one of "),
        (("sell_micro_per_kwh = 140000", "sell_micro_per_kwh = 200001"), "rules.sell_micro_per_kwh: expected at most"),
        (("sell_micro_per_kwh = 140000", "sell_micro_per_kwh = 0.14"), "rules.sell_micro_per_kwh: expected a whole"),
        (("[rules]", '[weather]\nurl = "ftp://x"\n[rules]'), "weather.url: expected an http:// or https:// address"),
        (("[rules]", '[weather]\nurl = "http://x"\nlatitude = 91\n[rules]'), "weather.latitude: expected a number"),
    ],
)
def test_a_wrong_setting_names_file_key_and_what_was_expected(
    tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    text = settings_text(COOP)
    assert change[0] in text
    with pytest.raises(SettingsError) as caught:
        parse_settings(text.replace(*change, 1).encode(), name="hub.toml", folder=tmp_path)
    assert str(caught.value).startswith("hub.toml: ")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in ("init", "run", "invite", "sign-in", "settle", "verify", "status"))


def test_the_rules_of_hub_toml_may_be_edited_until_the_hub_first_runs(
    hub: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    def edit(before: str, after: str) -> None:
        text = (hub / "hub.toml").read_text()
        assert before in text
        (hub / "hub.toml").write_text(text.replace(before, after))

    def rule() -> bytes:
        async def read() -> bytes:
            _, _, store = await open_hub(hub, clock=open_clock(None))
            try:
                return (await store.rule_on("2026-05-01"))[1]
            finally:
                await store.close()

        return asyncio.run(read())

    assert run(hub, "invite", "--member", "Household One", "--email", "a@b.c") == 0
    edit("buy_micro_per_kwh = 200000", "buy_micro_per_kwh = 190000")
    assert run(hub, "status") == 0
    assert b"190000" in rule()
    assert "changes nothing" not in caplog.text
    edit("buy_micro_per_kwh = 190000", "buy_micro_per_kwh = 180000")
    assert b"190000" in rule()
    assert caplog.text.count("[rules] was edited after it became the first rule of the rulebook") == 1


def test_the_qr_code_is_a_new_private_picture(hub: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "ana.svg"
    ana = ["invite", "--member", "Ana", "--email", "ana@example.org"]
    assert run(hub, *ana, "--qr", str(picture), "--json") == 0
    made = json.loads(capsys.readouterr().out)
    assert made["invitation"] == f"commonwatt:?hub=http://127.0.0.1:8400&coop=sol&token={made['token']}"
    assert stat.S_IMODE(picture.stat().st_mode) == 0o600
    assert picture.read_bytes().startswith(b"<?xml")
    for wrong in (picture, tmp_path / "nowhere" / "x.svg"):
        assert run(hub, "invite", "--email", "ana@example.org", "--qr", str(wrong)) == 1
        assert "expected a file that does not exist yet" in error_of(capsys)
    unreachable = tmp_path / ("x" * 300)  # to look at it is an error, as in a folder of another user
    assert run(hub, "invite", "--email", "ana@example.org", "--qr", str(unreachable)) == 1
    assert "nobody was invited" in error_of(capsys)
    (hub / "hub.toml").write_text((hub / "hub.toml").read_text().replace('host = "127.0.0.1"', 'host = "10.0.0.2"', 1))
    assert run(hub, "invite", "--email", "ana@example.org", "--qr", str(tmp_path / "b.svg")) == 1
    assert "set [public] in hub.toml" in error_of(capsys)


def test_another_agent_works_beside_the_first_and_each_is_replaced_by_name(
    known: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (first,) = agents(known)
    assert run(known, *KNOWN, "--another-agent") == 0
    shown = capsys.readouterr().out
    assert f"the new agent works beside {first}, which keeps what it brings" in shown
    assert "takes over from" not in shown
    assert run(known, *KNOWN, "--another-agent", "--json") == 0
    second = enrol_with(known, json.loads(capsys.readouterr().out)["token"], folder="second")
    assert agents(known) == {first: True, second: True}
    assert run(known, *KNOWN) == 1
    said = error_of(capsys)
    assert f"has the agents {first}, {second};" in said
    assert "A new agent in place of one: add --replace AGENT" in said
    assert run(known, *KNOWN, "--replace") == 1
    assert f"home h01 has several agents: name the one: --replace {first} or --replace {second}" in error_of(capsys)
    assert run(known, *KNOWN, "--replace", "a-nobody") == 1
    assert "--replace 'a-nobody': no working agent of home h01" in error_of(capsys)
    assert run(known, *KNOWN, "--replace", second, "--json") == 0
    third = enrol_with(known, json.loads(capsys.readouterr().out)["token"], folder="third")
    assert agents(known) == {first: True, second: False, third: True}
    assert run(known, "agents", "--json") == 0
    assert [row["brings"] for row in json.loads(capsys.readouterr().out)] == [[], [], []], "nothing was sent yet"


def test_another_agent_needs_a_first_one_and_is_no_replacement(hub: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new = ["invite", "--member", "New", "--email", "new@example.org"]
    assert run(hub, *new, "--another-agent") == 1
    assert "--another-agent: no member has the address new@example.org" in error_of(capsys)
    assert run(hub, *new) == 0
    capsys.readouterr()
    assert run(hub, "invite", "--email", "new@example.org", "--another-agent") == 1
    assert "has no agent yet; invite without --another-agent" in error_of(capsys)
    assert run(hub, "invite", "--email", "new@example.org", "--another-agent", "--replace") == 1
    assert "--replace and --another-agent contradict each other" in error_of(capsys)
