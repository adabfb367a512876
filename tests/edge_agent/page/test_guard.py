"""PINs that can be used once and hardly guessed, sessions that outlive a restart, and the names the page answers to."""

from dataclasses import replace
from pathlib import Path

from edge_agent.page.guard import (
    COOKIE,
    PIN_FILE,
    PIN_LASTS_S,
    SESSION_LASTS_S,
    SESSIONS_FILE,
    SESSIONS_KEPT,
    Gate,
    is_own_host,
    make_pin,
    own_hosts,
)
from edge_agent.page.requests import PageRequest

VISITOR = PageRequest("GET", "/", {}, {"host": "pi.local"}, peer="192.168.1.50")


class Now:
    def __init__(self) -> None:
        self.now_s = 1_000_000.0

    def __call__(self) -> float:
        return self.now_s


def with_cookie(cookie: str) -> PageRequest:
    return replace(VISITOR, headers={"host": "pi.local", "cookie": f"other=1; {COOKIE}={cookie}"})


def gate_of(folder: Path, now: Now) -> Gate:
    return Gate(folder, now=now)


def test_a_pin_opens_one_session_which_lasts_beyond_a_restart(tmp_path: Path) -> None:
    now = Now()
    gate, pin = gate_of(tmp_path, now), make_pin(tmp_path, now_s=now())
    assert not gate.lets_in(VISITOR)
    cookie = gate.try_pin(VISITOR, pin)
    assert cookie is not None
    assert gate.lets_in(with_cookie(cookie))
    assert gate.try_pin(VISITOR, pin) is None, "a PIN is used once"
    again = gate_of(tmp_path, now)
    assert again.lets_in(with_cookie(cookie))
    now.now_s += SESSION_LASTS_S + 1
    assert not again.lets_in(with_cookie(cookie))


def test_neither_pin_nor_cookie_lies_in_the_folder(tmp_path: Path) -> None:
    now = Now()
    gate, pin = gate_of(tmp_path, now), make_pin(tmp_path, now_s=now())
    assert pin.replace(" ", "") not in (tmp_path / PIN_FILE).read_text()
    assert (tmp_path / PIN_FILE).stat().st_mode & 0o077 == 0
    cookie = gate.try_pin(VISITOR, pin.replace(" ", ""))
    assert cookie is not None
    assert cookie not in (tmp_path / SESSIONS_FILE).read_text()


def test_three_wrong_guesses_are_an_addresss_last(tmp_path: Path) -> None:
    now = Now()
    gate, pin = gate_of(tmp_path, now), make_pin(tmp_path, now_s=now())
    for guess in ("00000000", "", "1" * 500):
        assert gate.try_pin(VISITOR, guess) is None
    assert gate.try_pin(VISITOR, pin) is None
    assert gate.try_pin(replace(VISITOR, peer="192.168.1.51"), pin) is not None


def test_ten_wrong_guesses_from_anywhere_end_the_pin(tmp_path: Path) -> None:
    now = Now()
    gate, pin = gate_of(tmp_path, now), make_pin(tmp_path, now_s=now())
    for number in range(10):
        assert gate.try_pin(replace(VISITOR, peer=f"192.168.1.{number}"), "00000000") is None
    assert not (tmp_path / PIN_FILE).exists()
    assert gate.try_pin(replace(VISITOR, peer="192.168.1.99"), pin) is None
    assert gate.try_pin(VISITOR, make_pin(tmp_path, now_s=now())) is not None, "a new PIN can be tried"


def test_a_pin_ends_after_ten_minutes(tmp_path: Path) -> None:
    now = Now()
    gate, pin = gate_of(tmp_path, now), make_pin(tmp_path, now_s=now())
    now.now_s += PIN_LASTS_S
    assert gate.try_pin(VISITOR, pin) is None


def test_a_damaged_file_lets_nobody_in(tmp_path: Path) -> None:
    now = Now()
    (tmp_path / PIN_FILE).write_text("{}")
    (tmp_path / SESSIONS_FILE).write_text("[1, 2")
    gate = gate_of(tmp_path, now)
    assert gate.try_pin(VISITOR, "00000000") is None
    assert not gate.lets_in(with_cookie(""))
    assert not gate.lets_in(with_cookie("guess"))


def test_only_the_newest_sessions_are_kept(tmp_path: Path) -> None:
    now = Now()
    gate = gate_of(tmp_path, now)
    cookies = []
    for _ in range(SESSIONS_KEPT + 1):
        now.now_s += 1
        cookies.append(gate.try_pin(VISITOR, make_pin(tmp_path, now_s=now())))
    assert not gate.lets_in(with_cookie(cookies[0] or ""))
    assert gate.lets_in(with_cookie(cookies[-1] or ""))


def test_this_computer_needs_no_pin_and_its_forms_carry_another_token(tmp_path: Path) -> None:
    gate = gate_of(tmp_path, Now())
    local = replace(VISITOR, is_local=True, peer="127.0.0.1")
    assert gate.lets_in(local)
    assert gate.is_form_token(local, gate.form_token(local))
    assert not gate.is_form_token(with_cookie("someone"), gate.form_token(local))
    assert not gate_of(tmp_path, Now()).is_form_token(local, gate.form_token(local))


def test_the_computers_own_names_and_those_listed_are_answered() -> None:
    names = own_hosts(["solar.example.org"], machine="Pi4.example.net")
    for host in ("pi4", "pi4.local:8087", "pi4.fritz.box", "pi4.example.net", "solar.example.org.", "[fe80::1]:80"):
        assert is_own_host(host, names), host
    for host in ("example.net", "pi4.example.com", "", "pi4:99:1", "pi4@evil", "999.1.1.1.evil"):
        assert not is_own_host(host, names), host


def test_what_a_stranger_is_shown_at_the_sign_in_is_no_token_of_this_computer(tmp_path: Path) -> None:
    gate = gate_of(tmp_path, Now())
    here = replace(VISITOR, peer="127.0.0.1", is_local=True)
    assert not gate.is_form_token(here, gate.form_token(VISITOR))


def test_sessions_without_an_end_are_none(tmp_path: Path) -> None:
    (tmp_path / SESSIONS_FILE).write_text('{"a": Infinity}')
    assert not gate_of(tmp_path, Now()).lets_in(with_cookie("a"))
