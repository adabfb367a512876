"""A hub whose database server crashes in the middle of a stream: nothing with a receipt is lost, and it goes on."""

import asyncio
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hub.__main__ import main
from hub.broker.plans import free_port
from hub.folder.elsewhere.store_settings import ADDRESS_NAME
from hub.storage.postgres.connections import connect
from hub.storage.postgres.prepare import prepare_store
from protocols.enrolment.handshake import build_request, open_answer
from protocols.enrolment.token import parse_token
from protocols.slots import start_of
from protocols.timeline import Timeline
from tests.hub.intake.test_hub_killed import MESSAGES, Sender, post, running_hub
from tests.hub.postgres_server import SCHEMA, Server, crash, start_again, start_server
from tests.hub.sending_home import FIRST_SLOT, SendingHome

CRASHES = (150, 300, 450)


async def warnings_of(child: asyncio.subprocess.Process) -> str:
    """What `run` warns of; the last of these lines is about the server."""
    assert child.stdout is not None
    said = ""
    async with asyncio.timeout(60):
        while "(docs/postgres.md)" not in said:
            said += (await child.stdout.readline()).decode()
    return said


async def stored(server: Server) -> list[int]:
    """The numbers of the stored messages, as the server's superuser reads them."""
    session = await connect(server.admin("energy"))
    try:
        return [int(row[0]) for row in await session.fetch("SELECT seq FROM message ORDER BY position")]
    finally:
        session.terminate()


async def moved(folder: Path, *, clock: Path) -> Server:
    """The hub's store, moved to a server of its own."""
    server = start_server()
    admin = await server.ask()
    await admin.execute("CREATE DATABASE energy")
    admin.terminate()
    await moved_to(server.admin("energy").dsn, folder, clock=clock)
    return server


async def moved_to(dsn: str, folder: Path, *, clock: Path) -> None:
    """The hub's store, moved to the server at this address, where somebody signs in who may make roles."""
    for words in (("prepare",), ("copy", "--from", "sqlite")):
        said = ["db", *words, "--data", str(folder), "--clock", str(clock), "--to", dsn, "--schema", SCHEMA]
        assert await asyncio.to_thread(main, said) == 0
    with (folder / "hub.toml").open("a", encoding="utf-8") as file:
        file.write(f'\n[store]\nschema = "{SCHEMA}"\naddress_file = "{ADDRESS_NAME}"\n')
    (folder / "hub.sqlite").unlink()


async def test_every_message_with_a_receipt_is_stored_whenever_the_server_crashes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hub, clock = tmp_path / "hub", tmp_path / "clock.json"
    init = ["init", "--data", str(hub), "--name", "S", "--coop", "street", "--tz", "Europe/Madrid"]
    assert await asyncio.to_thread(main, init) == 0
    clock.write_text(Timeline(0, start_of(FIRST_SLOT + MESSAGES + 1), 0, None).text())
    settings = (hub / "hub.toml").read_text()
    (hub / "hub.toml").write_text(settings.replace('kind = "auto"', 'kind = "iotcore"\nallow_other_users = true'))
    server = await moved(hub, clock=clock)
    capsys.readouterr()
    invite = ["invite", "--data", str(hub), "--member", "A", "--email", "a@b.c", "--clock", str(clock), "--json"]
    assert await asyncio.to_thread(main, invite) == 0
    token = json.loads(capsys.readouterr().out)["token"]
    port, home = free_port("127.0.0.1"), SendingHome("h01")
    async with running_hub(hub, clock=clock, broker_port=port) as (child, pages):
        assert "the database server waits for no standby" in await warnings_of(child)
        request = build_request(home.key, token=parse_token(token), coop="street")
        status, body = await asyncio.to_thread(post, f"{pages}/api/enrol", request)
        assert status == 200, body
        answer = open_answer(body, token=parse_token(token), request=request.encode(), agent_public_key=home.public_key)
        sender = Sender(home, hub_key=Ed25519PublicKey.from_public_bytes(answer.hub_public_key), port=port)
        for through in CRASHES:
            await sender.send_until(lambda through=through: sender.through >= through)  # type: ignore[misc]
            crash(server)
            receipted = sender.through
            server = start_again(server)
            assert await stored(server) == list(range(1, len(await stored(server)) + 1)), "no hole, and none twice"
            assert len(await stored(server)) >= receipted, "nothing with a receipt is missing"
        await sender.send_until(lambda: sender.through == MESSAGES)
        await sender.stop()
        assert child.returncode is None, "the hub went on by itself"
    assert await stored(server) == list(range(1, MESSAGES + 1))
    assert await prepare_store(server.admin("energy"), now=lambda: 0.0, signer=None) is None, "the place is whole"
