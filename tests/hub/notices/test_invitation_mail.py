"""The mail that invites: the token, how the agent is installed and what to check; one that is void is not sent."""

import hashlib
from pathlib import Path

import pytest

from hub.folder.first_settings import settings_text
from hub.folder.settings import parse_settings
from hub.notices.invitation_mail import agent_install_lines
from hub.storage.records import Agent
from hub.trust.agent_packages import InstallLine
from protocols.enrolment.token import parse_token
from tests.hub.notices.catch_all import catching
from tests.hub.notices.mail_street import COOP, START_S, mail_street

SHA256 = hashlib.sha256(b"the package").hexdigest()
LINE = InstallLine("a Raspberry Pi", "arm64", SHA256, f"curl -kfo agent.deb https://hub && echo '{SHA256}  agent.deb'")


async def test_the_mail_says_how_to_install_the_agent_and_what_to_check(tmp_path: Path) -> None:
    async with catching() as server, mail_street(tmp_path) as street:
        street.whole, street.install = lambda token: f"commonwatt:{token}", lambda: [LINE]
        token = await street.invite()
        await street.job(server.settings())(0)
        body = server.mails[0].get_body(("plain",))
        assert body is not None
        lines = body.get_content().splitlines()
    assert f"    {LINE.command}" in lines, "in one piece, whatever its length, to be copied"
    assert SHA256 in lines
    assert "On a Raspberry Pi:" in lines
    assert "On a PC:" not in lines
    assert f"commonwatt:{token}" in lines
    assert all(len(line) <= 76 for line in lines if not line.startswith("    ") and " " in line)
    assert server.mails[0].get_body(("html",)) is None


def test_the_lines_are_those_of_the_packages_that_the_hub_hands_out(tmp_path: Path) -> None:
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / "commonwatt-agent_1_amd64.deb").write_bytes(b"the package")
    text = settings_text(COOP)
    here = parse_settings(text.encode(), name="hub.toml", folder=tmp_path)
    assert agent_install_lines(tmp_path, here) == [], "a hub that serves this computer only"
    public = f'{text}\n[public]\nhost = "hub.example.org"\n'
    (line,) = agent_install_lines(tmp_path, parse_settings(public.encode(), name="hub.toml", folder=tmp_path))
    assert (line.architecture, line.sha256) == ("amd64", SHA256)
    assert "https://hub.example.org:8443/api/agent-package/commonwatt-agent_1_amd64.deb" in line.command


async def test_without_packages_the_mail_names_no_line(tmp_path: Path) -> None:
    async with catching() as server, mail_street(tmp_path) as street:
        street.whole = lambda token: f"commonwatt:{token}"
        await street.invite()
        await street.job(server.settings())(0)
        body = server.mails[0].get_body(("plain",))
        assert body is not None
        assert "SHA-256" not in body.get_content()


async def test_an_invitation_that_a_newer_one_replaced_is_not_sent_any_more(tmp_path: Path) -> None:
    async with catching() as server, mail_street(tmp_path) as street:
        first = await street.invite(number=1)
        second = await street.invite(number=2)
        await street.job(server.settings())(0)
        (mail,) = server.mails
        assert second in mail.get_content()
        assert first not in mail.get_content()
        assert await street.queue() == [("invitation", "dropped", 1), ("invitation", "sent", 1)]
        dropped = (await street.store.notices(since=0, most=9))[0]
        assert "a newer invitation for this home was made" in dropped.answer
        assert dropped.secret is None


@pytest.mark.parametrize("is_used", [True, False])
async def test_an_invitation_that_enrols_nobody_any_more_is_not_sent(tmp_path: Path, is_used: bool) -> None:
    async with catching() as server, mail_street(tmp_path) as street:
        token = parse_token(await street.invite())
        if is_used:
            agent = Agent("a-new", "", 3, b"n" * 32, START_S, None)
            assert await street.store.redeem_invite(token.id, agent=agent, now=START_S) is None
        else:
            street.clock.now_s += 86_401
        await street.job(server.settings())(0)
        assert server.mails == []
        assert (await street.queue())[0][1] == ("dropped" if is_used else "given up")
