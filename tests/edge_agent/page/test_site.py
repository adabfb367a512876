"""What the pages show and what their forms do: messages, the switch, consent, devices, history, and the PIN."""

import asyncio
import csv
import io
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.consent.given import consent_given, consent_now
from edge_agent.page.guard import COOKIE, make_pin
from edge_agent.page.requests import PageAnswer, PageRefusal, PageRequest
from edge_agent.page.views import beside, left
from edge_agent.uplink.beside import RENEWAL, ROOT, BesideLog
from edge_agent.uplink.consent_file import write_next_version
from edge_agent.uplink.sealing import AgentSigner
from edge_agent.uplink.sending_switch import SendingSwitch
from protocols.slots import SLOT_S, SLOTS_PER_UTC_DAY, parse_slot, slot_of, start_of
from protocols.wire.clock_check import NONCE_BYTES, ClockQuestion, ClockState, encode_question
from protocols.wire.map_bundles.question import MapQuestion, encode_map_question
from protocols.wire.meter_notices import MeterNotice, encode_meter
from protocols.wire.topics import UP_KINDS
from tests.edge_agent.page.page_home import GRID, NOW_S, NOW_SLOT, PageHome, fill_history

LOCAL = PageRequest("GET", "/", {}, {"host": "localhost"}, peer="127.0.0.1", is_local=True)
FAR = PageRequest("GET", "/", {}, {"host": "pi.local"}, peer="192.168.1.50")
FORM = {"content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin"}


@pytest.fixture
def home(tmp_path: Path) -> PageHome:
    return PageHome(tmp_path / "data")


async def read(home: PageHome, path: str, who: PageRequest = LOCAL) -> str:
    answer = await asked(home, path, who)
    assert answer.status == 200
    return answer.body.decode()


async def asked(home: PageHome, path: str, who: PageRequest = LOCAL) -> PageAnswer:
    place, _, query = path.partition("?")
    pairs = dict(pair.split("=") for pair in query.split("&") if pair)
    return await home.site.answer(replace(who, path=place, query=pairs))


async def sent(home: PageHome, path: str, body: str, who: PageRequest = LOCAL) -> PageAnswer:
    token = home.gate.form_token(who)
    form = f"{body}&token={token}".encode()
    return await home.site.answer(replace(who, method="POST", path=path, headers={**who.headers, **FORM}, body=form))


async def test_every_message_is_listed_with_its_receipt_and_opens(home: PageHome) -> None:
    assert "Nothing has left yet" in await read(home, "/left")
    await home.fill_outbox()
    page = await read(home, "/left")
    assert "1 message waits for its receipt" in page
    assert "refused: The message is about a time too far from now" in page
    message = await read(home, "/left/1790000000/2")
    assert "given to the grid" in message
    assert "512 bytes left the home" in message
    for wrong in ("/left/1/1", "/left/x", "/left/1790000000/2/3", "/left/-1/2"):
        with pytest.raises(PageRefusal) as refusal:
            await read(home, wrong)
        assert refusal.value.status == 404


async def test_nothing_is_sent_until_it_is_switched_on_again_also_after_a_restart(home: PageHome) -> None:
    assert (await sent(home, "/left/sending", "do=stop")).headers["Location"] == "/left"
    assert home.woken == 1
    assert home.switch.is_stopped
    assert SendingSwitch(home.folder).stopped_at == int(NOW_S)
    page = await read(home, "/left")
    assert "<h1>Nothing is sent</h1>" in page
    assert "Nothing is sent since 11 June, 12:16." in await read(home, "/")
    await sent(home, "/left/sending", "do=resume")
    assert not SendingSwitch(home.folder).is_stopped
    with pytest.raises(PageRefusal):
        await sent(home, "/left/sending", "do=burn")


async def test_a_switch_file_that_cannot_be_read_counts_as_stopped(home: PageHome) -> None:
    home.switch.stop(NOW_S)
    (home.folder / "sending-stopped.json").write_text("{")
    assert SendingSwitch(home.folder).is_stopped


async def test_a_purpose_is_allowed_and_withdrawn_as_the_command_does(home: PageHome) -> None:
    assert "Only what membership needs leaves the home" in await read(home, "/consent")
    assert (await sent(home, "/consent", "do=allow&purpose=prompt.shift")).status == 303
    given = consent_given(home.consent_path, consent_now(home.folder))
    assert given.version == 2
    (rule,) = [rule for rule in given.rules if rule.purpose == "prompt.shift"]
    assert rule.valid_from > NOW_SLOT
    page = await read(home, "/consent")
    assert "1 purpose is allowed" in page
    assert "Version 2 is taken up within seconds; version 1 is in force." in page
    await sent(home, "/consent", "do=withdraw&purpose=prompt.shift")
    given = consent_given(home.consent_path, consent_now(home.folder))
    assert given.version == 3
    assert not [rule for rule in given.rules if rule.purpose == "prompt.shift"]
    for body in (
        "do=withdraw&purpose=settle.share",
        "do=allow&purpose=nonsense",
        "do=withdraw&purpose=grid.flex",
        "do=x",
    ):
        with pytest.raises(PageRefusal) as refusal:
            await sent(home, "/consent", body)
        assert refusal.value.status == 409


async def test_a_purpose_that_begins_later_or_is_over_is_not_called_on(home: PageHome) -> None:
    home.now_s = start_of(parse_slot("2026-12-02T04:00Z")) + 60.0
    await sent(home, "/consent", "do=allow&purpose=prompt.shift")
    page = await read(home, "/consent")
    assert "On from 2 December, 05:15" in page
    home.now_s += SLOT_S
    assert "On from" not in await read(home, "/consent")
    given = consent_given(home.consent_path, consent_now(home.folder))
    ends = slot_of(home.now_s) + 4
    rules = tuple(replace(rule, valid_until=ends) if rule.purpose == "prompt.shift" else rule for rule in given.rules)
    write_next_version(home.consent_path, replace(given, version=given.version + 1, rules=rules))
    assert "1 purpose is allowed" in await read(home, "/consent")
    home.now_s = start_of(ends) + 1.0
    page = await read(home, "/consent")
    assert "Only what membership needs leaves the home" in page
    assert ">Over<" in page
    assert "Allow: propose better hours" in page
    await sent(home, "/consent", "do=allow&purpose=prompt.shift")
    assert "On from 2 December, 06:30" in await read(home, "/consent")


async def test_without_a_file_the_consent_can_only_be_read(home: PageHome, tmp_path: Path) -> None:
    home.site._home = replace(home.running, consent_path=None)
    page = await read(home, "/consent")
    assert "<button" not in page
    with pytest.raises(PageRefusal):
        await sent(home, "/consent", "do=allow&purpose=prompt.shift")


async def test_devices_in_trouble_are_named_with_the_reason(home: PageHome) -> None:
    home.show(GRID, 230)
    page = await read(home, "/devices")
    assert "Trouble with roof" in page
    assert "no answer within 1.0 s" in page
    assert "230\xa0W" in page
    assert "bronze: from documents alone, not proven on a device" in page


async def test_a_month_and_its_days_are_drawn_and_listed(home: PageHome) -> None:
    fill_history(home.folder)
    month = await read(home, "/history")
    assert "June 2026" in month
    assert 'href="/history?month=2026-05" rel="prev"' in month
    assert "month=2026-07" not in month
    assert '<a href="/history?day=2026-06-10">10 June</a>' in month
    day = await read(home, "/history?day=2026-06-10")
    assert day.count("<tr><th") >= SLOTS_PER_UTC_DAY
    assert "the device did not answer" in day
    assert "Nothing was kept of this day." in await read(home, "/history?day=2024-02-29")
    for wrong in ("day=2026-02-30", "day=x", "month=2026-13", "day=1970-01-01", "day=9999-12-31", "day=20260610"):
        with pytest.raises(PageRefusal) as refusal:
            await read(home, f"/history?{wrong}")
        assert refusal.value.status == 404


async def test_the_files_hold_every_quarter_hour_and_minute(home: PageHome) -> None:
    fill_history(home.folder, days=45)
    answer = await asked(home, "/history.csv?day=2026-06-10")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="h07-2026-06-10.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.body.decode())))
    assert len(rows) == SLOTS_PER_UTC_DAY
    assert rows[0]["begins_utc"] == "2026-06-09T22:00Z"
    assert {row["pv_production_mark"] for row in rows} == {"measured", "missing"}
    month = (await asked(home, "/history.csv?month=2026-05")).body.decode()
    assert len(month.splitlines()) == 1 + 31 * SLOTS_PER_UTC_DAY
    minutes = list(
        csv.DictReader(io.StringIO((await asked(home, "/history.csv?day=2026-06-10&minutes=1")).body.decode()))
    )
    assert len(minutes) == 24 * 60
    assert int(minutes[0]["meter_grid_w"]) != 0
    with pytest.raises(PageRefusal):
        await asked(home, "/history.csv")


async def test_another_computer_sees_nothing_before_the_pin(home: PageHome) -> None:
    for path in ("/", "/live.json", "/left", "/consent", "/devices", "/history", "/history.csv?day=2026-06-10"):
        answer = await asked(home, path, FAR)
        assert (answer.status, answer.headers["Location"], answer.body) == (303, "/sign-in", b"")
    with pytest.raises(PageRefusal) as refusal:
        await sent(home, "/left/sending", "do=stop", FAR)
    assert refusal.value.status == 403
    pin = make_pin(home.folder, now_s=NOW_S)
    wrong = await sent(home, "/sign-in", "pin=00000000", FAR)
    assert wrong.status == 403
    assert "Set-Cookie" not in wrong.headers
    answer = await sent(home, "/sign-in", f"pin={pin.replace(' ', '+')}", FAR)
    cookie, *rules = answer.headers["Set-Cookie"].split("; ")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(rules)
    assert cookie.startswith(f"{COOKIE}=")
    known = replace(FAR, headers={**FAR.headers, "cookie": cookie})
    assert "The grid&#x27;s meter shows nothing now" in await read(home, "/", known)
    assert (await sent(home, "/left/sending", "do=stop", known)).status == 303
    assert home.switch.is_stopped


async def test_whoever_signed_in_can_sign_out_and_nobody_else_is_offered_it(home: PageHome) -> None:
    pin = make_pin(home.folder, now_s=NOW_S)
    answer = await sent(home, "/sign-in", f"pin={pin.replace(' ', '+')}", FAR)
    known = replace(FAR, headers={**FAR.headers, "cookie": answer.headers["Set-Cookie"].partition(";")[0]})
    assert 'action="/sign-out"' in await read(home, "/", known)
    assert 'action="/sign-out"' not in await read(home, "/")
    form = replace(known, method="POST", path="/sign-out", headers={**known.headers, **FORM}, body=b"token=0")
    with pytest.raises(PageRefusal):
        await home.site.answer(form)
    assert (await asked(home, "/", known)).status == 200
    answer = await sent(home, "/sign-out", "", known)
    assert answer.headers["Location"] == "/sign-in"
    assert "Max-Age=0" in answer.headers["Set-Cookie"]
    assert (await asked(home, "/", known)).headers["Location"] == "/sign-in"


async def test_a_page_that_takes_long_keeps_no_thread_of_the_agent(home: PageHome) -> None:
    is_over = threading.Event()
    home.site._home = replace(home.running, states=lambda: list(home.device_states) * is_over.wait(20))
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    slow = [asyncio.ensure_future(asked(home, "/devices")) for _ in range(8)]
    try:
        assert await asyncio.wait_for(asyncio.to_thread(lambda: "a reading"), 10) == "a reading"
    finally:
        is_over.set()
        await asyncio.gather(*slow)


async def test_what_leaves_beside_the_messages_is_told_too(home: PageHome) -> None:
    assert "Nothing of the kind yet." in await read(home, "/left")
    log = BesideLog(now=lambda: NOW_S)
    signer = AgentSigner("sonnenstrasse", "a-07", Ed25519PrivateKey.generate())
    question = ClockQuestion("a-07", bytes(NONCE_BYTES), int(NOW_S), ClockState.UNCONFIRMED)
    notice = MeterNotice("a-07", int(NOW_S), NOW_SLOT, "silver", "separate", "netted", True, "MID B")
    for _ in range(2):
        log.note("time", signer.seal("time", encode_question(question)).sealed)
    log.note("meter", signer.seal("meter", encode_meter(notice)).sealed)
    log.note("maps", signer.seal("maps", encode_map_question(MapQuestion("a-07", int(NOW_S), 12))).sealed)
    log.note(RENEWAL, b"x" * 300)
    log.note(ROOT, b"")
    home.site._home = replace(home.running, beside=lambda: log.sent)
    page = await read(home, "/left")
    assert "question for the time</th><td>2</td><td>11 June, 12:16</td>" in page
    assert "that its clock is unconfirmed" in page
    assert "map silver, phases separate, the legal meter&#x27;s netted, class MID B, from power: Yes" in page
    assert "the number of the newest bundle that is here: 12" in page
    assert "its signature: 300 bytes" in page
    assert {*UP_KINDS} <= {*left.KINDS, *beside.KINDS}
    assert "nothing about the home" in page


async def test_a_session_of_one_browser_signs_no_form_of_another(home: PageHome) -> None:
    one = replace(
        FAR, headers={**FAR.headers, "cookie": f"{COOKIE}={home.gate.try_pin(FAR, make_pin(home.folder, now_s=NOW_S))}"}
    )
    form = {**one.headers, **FORM}
    body = f"do=stop&token={home.gate.form_token(LOCAL)}".encode()
    with pytest.raises(PageRefusal):
        await home.site.answer(replace(one, method="POST", path="/left/sending", headers=form, body=body))
    assert start_of(NOW_SLOT) < NOW_S
