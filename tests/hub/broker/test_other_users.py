"""The built-in broker, which anybody on the computer can read, is refused where several people sign in."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from hub.broker.other_users import login_users
from hub.broker.plans import BrokerError, plan_broker
from hub.folder.settings import parse_settings


@dataclass(frozen=True)
class Row:
    pw_name: str
    pw_uid: int
    pw_shell: str


ROOT, DAEMON, NOBODY = Row("root", 0, "/bin/bash"), Row("mosquitto", 105, "/bin/sh"), Row("nobody", 65534, "/bin/sh")
ANNA, BEN = Row("anna", 1000, "/bin/bash"), Row("ben", 1001, "/usr/bin/fish")
BOT = Row("bot", 1002, "/usr/sbin/nologin")


def test_people_are_accounts_with_a_shell() -> None:
    assert login_users([ROOT, DAEMON, NOBODY, BEN, BOT, Row("off", 1003, ""), ANNA]) == ("anna", "ben")


@pytest.mark.parametrize("allowed", [False, True])
def test_two_people_need_the_boards_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, allowed: bool) -> None:
    monkeypatch.setattr("hub.broker.plans.login_users", lambda: ("anna", "ben"))
    more = "allow_other_users = true\n" if allowed else ""
    text = f'[coop]\nid = "c"\nname = "C"\ntz = "Europe/Madrid"\n[broker]\nkind = "iotcore"\n{more}'
    settings = parse_settings(text.encode(), name="hub.toml", folder=tmp_path).broker
    if allowed:
        plan = plan_broker(settings, folder=tmp_path, coop="c", port=0)
        assert plan.warning is not None
        assert "can read what homes send" in plan.warning
        return
    with pytest.raises(BrokerError, match=r"2 users can sign in .*anna, ben.*broker\.allow_other_users = true"):
        plan_broker(settings, folder=tmp_path, coop="c", port=0)


def test_one_person_needs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.broker.plans.login_users", lambda: ("anna",))
    text = b'[coop]\nid = "c"\nname = "C"\ntz = "Europe/Madrid"\n[broker]\nkind = "iotcore"\n'
    settings = parse_settings(text, name="hub.toml", folder=tmp_path).broker
    assert plan_broker(settings, folder=tmp_path, coop="c", port=0).name == "iotcore"
