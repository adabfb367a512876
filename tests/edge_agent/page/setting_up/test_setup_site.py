"""Set-up's page by its requests: one answer to each question, whoever sends it, and nothing secret on a page."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.page.guard import make_pin
from edge_agent.page.requests import PageRefusal, PageRequest
from edge_agent.page.setting_up import conversation
from edge_agent.page.setting_up.conversation import PageConversation
from edge_agent.setup.conversation import SetupQuestion, ValueRows, yes_or_no
from tests.edge_agent.page.setting_up.page_of_setup import FORM, LOCAL, SetupPage, words_of

FAR = PageRequest("GET", "/setup", {}, {"host": "pi.local"}, peer="192.168.1.50")
COUNTRY = SetupQuestion("Country?", empty="not said")
SEVERAL = SetupQuestion(
    "What does it measure?", ("pv", "load"), "pv", ("solar panels", "an appliance"), is_several=True
)
INVITATION = SetupQuestion("Paste the invitation:", is_secret=True)


@pytest.fixture
def page(tmp_path: Path) -> SetupPage:
    return SetupPage(tmp_path)


async def test_a_step_its_lines_and_its_question_are_shown(page: SetupPage) -> None:
    async def walk(talk: PageConversation) -> None:
        await talk.begin_step(2, "your legal meter", of=6)
        await talk.say("  it nets <phases>")
        await talk.ask(SetupQuestion("Does it?", ("y", "n", "u"), "u", ("yes", "no", "I do not know")))

    async with page.of(walk):
        shown = await page.read()
    assert "<title>Step 2 of 6: Your legal meter – Commonwatt</title>" in shown
    assert "it nets &lt;phases&gt;" in shown
    assert '<button name="answer" value="u" autofocus>I do not know</button>' in shown
    assert shown.count('name="answer"') == 3
    assert shown.count("autofocus") == 1
    assert "refresh" not in shown


async def test_a_stray_enter_answers_nothing_where_no_answer_is_the_usual_one(page: SetupPage) -> None:
    async with page.of(lambda talk: talk.ask(SetupQuestion("The same?", ("y", "n")))):
        shown = await page.read()
    assert '<fieldset aria-describedby="said" tabindex="-1" autofocus>' in shown
    assert shown.count("autofocus") == 1


async def test_an_answer_goes_to_its_question_only(page: SetupPage) -> None:
    async def walk(talk: PageConversation) -> list[str]:
        return [await talk.ask(yes_or_no(text)) for text in ("First?", "Second?", "Third?")]

    async with page.of(walk) as task:
        first = page.talk.picture.number
        assert (await page.send("answer=y")).headers["Location"] == "/setup"
        # A double click, the back button, a second tab: the form of a question that is answered.
        for _ in range(3):
            assert (await page.send("answer=y", number=first)).headers["Location"] == "/setup?late=1"
        assert "That question was answered already." in await page.read("/setup?late=1")
        assert "Second?" in await page.read()
        for number in ("-1", "x", "", "99999999999", "²"):
            form = f"answer=y&number={number}&token={page.gate.form_token(LOCAL)}".encode()
            request = replace(LOCAL, method="POST", headers={**LOCAL.headers, **FORM}, body=form)
            assert (await page.site.answer(request)).headers["Location"] == "/setup?late=1"
        await page.send("answer=n")
        await page.send("answer=y")
        assert await task == ["y", "n", "y"]


async def test_an_answer_that_means_nothing_is_asked_for_again(page: SetupPage) -> None:
    async with page.of(lambda talk: talk.ask(SEVERAL)) as task:
        shown = await page.read()
        assert '<input type="checkbox" name="choice-pv" value="1" checked autofocus> Solar panels' in shown
        for wrong in ("answer=pv", "answer=maybe&choice-grid=1"):
            answer = await page.send(wrong)
            assert answer.status == 422
            assert "Please choose one of the answers." in answer.body.decode()
        await page.send("choice-load=1&choice-pv=1&choice-grid=1")
        assert await task == "pv,load"


async def test_what_was_typed_stands_there_again_when_it_was_wrong(page: SetupPage) -> None:
    async def walk(talk: PageConversation) -> str:
        while len(answer := await talk.ask(COUNTRY)) != 2:
            await talk.say("  please give two letters")
        return answer

    async with page.of(walk) as task:
        assert "Left empty, it means: not said." in await page.read()
        await page.send("answer=%22Ger+many%22%0D%0A")
        shown = await page.read()
        assert 'value="&quot;Ger many&quot;"' in shown
        assert '<div id="said" role="alert">\n<p class="alert">please give two letters</p>' in shown
        await page.send("answer=DE")
        assert await task == "DE"


async def test_what_cannot_be_shown_is_not_taken(page: SetupPage) -> None:
    async with page.of(lambda talk: talk.ask(COUNTRY)) as task:
        answer = await page.send("answer=D%1b%5b2JE")
        assert answer.status == 422
        assert "it has characters that cannot be shown" in answer.body.decode()
        assert "\x1b" not in await page.read()
        await page.send("answer=DE")
        assert await task == "DE"


async def test_a_secret_is_on_no_page(page: SetupPage) -> None:
    async def walk(talk: PageConversation) -> None:
        await talk.begin_step(4, "your co-op", of=6)
        while True:
            await talk.ask(INVITATION)
            await talk.say("  the invitation is used")

    async with page.of(walk):
        for _ in range(2):
            answer = await page.send("answer=commonwatt:abc")
            assert "abc" not in answer.headers["Location"]
            shown = await page.read()
            assert "abc" not in shown
            assert "not shown" in shown
    assert "abc" not in repr(page.talk.picture)


async def test_forms_of_other_sites_and_strangers_change_nothing(page: SetupPage) -> None:
    async with page.of(lambda talk: talk.ask(yes_or_no("Go?"))) as task:
        with pytest.raises(PageRefusal) as refusal:
            await page.send("answer=y", replace(LOCAL, headers={"host": "localhost", "origin": "http://evil.example"}))
        assert refusal.value.status == 403
        body = f"answer=y&number={page.talk.picture.number}&token=0".encode()
        with pytest.raises(PageRefusal):
            await page.site.answer(replace(LOCAL, method="POST", headers={**LOCAL.headers, **FORM}, body=body))
        with pytest.raises(PageRefusal):
            await page.site.answer(replace(LOCAL, headers={"host": "evil.example"}))
        assert (await page.site.answer(FAR)).headers["Location"] == "/sign-in"
        with pytest.raises(PageRefusal):
            await page.send("answer=y", FAR)
        assert not task.done()


async def test_another_computer_signs_in_with_the_pin_and_out_again(page: SetupPage, tmp_path: Path) -> None:
    async with page.of(lambda talk: talk.ask(yes_or_no("Go?"))) as task:
        pin = make_pin(tmp_path, now_s=page.now_s).replace(" ", "")
        assert "Sign out" not in await page.read()
        form = f"pin={pin}&token={page.gate.form_token(FAR)}".encode()
        answer = await page.site.answer(
            replace(FAR, method="POST", path="/sign-in", headers={**FAR.headers, **FORM}, body=form)
        )
        known = replace(FAR, headers={**FAR.headers, "cookie": answer.headers["Set-Cookie"].partition(";")[0]})
        assert "Sign out" in await page.read(who=known)
        out = f"token={page.gate.form_token(known)}".encode()
        left = replace(known, method="POST", path="/sign-out", headers={**known.headers, **FORM}, body=out)
        assert "Max-Age=0" in (await page.site.answer(left)).headers["Set-Cookie"]
        assert (await page.site.answer(known)).headers["Location"] == "/sign-in"
        assert not task.done()


async def test_values_beside_a_question_are_read_again_while_somebody_looks(
    page: SetupPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversation, "READ_AGAIN_S", 0.0)
    readings, is_ended = 0, asyncio.Event()

    async def read() -> ValueRows:
        nonlocal readings
        readings += 1
        try:
            await asyncio.sleep(0)
            return [("the grid", f"{readings} W")]
        finally:
            is_ended.set()

    same = SetupQuestion("The same?", ("y", "n"), values=[("the grid", "0 W")], read_values=read)
    async with page.of(lambda talk: talk.ask(same)) as task:
        shown = await page.read()
        assert '<b data-live="value-0">' in shown
        assert '<noscript><meta http-equiv="refresh" content="10"></noscript>' in shown
        texts = json.loads(await page.read("/setup.json"))
        assert texts["value-0"] != "0 W"
        assert texts["state"] in shown
        page.now_s += conversation.WATCHED_S + 1
        await page.settled()
        before = readings
        await page.settled()
        assert readings == before, "nobody looks"
        await page.send("answer=y")
        assert await task == "y"
        before = readings
        await page.settled()
        assert readings == before, "the question is answered"


async def test_while_set_up_works_the_page_looks_again_by_itself(page: SetupPage) -> None:
    async def walk(talk: PageConversation) -> None:
        await talk.say("Searching ...")
        talk.show_work("asking 254 addresses")
        await asyncio.Event().wait()

    async with page.of(walk):
        shown = await page.read()
        assert '<noscript><meta http-equiv="refresh" content="2"></noscript>' in shown
        assert words_of(shown).startswith("Set-up Set-up Searching ... asking 254 addresses")
        before = json.loads(await page.read("/setup.json"))["state"]
        await page.talk.say("Found 1 device.")
        assert json.loads(await page.read("/setup.json"))["state"] != before


async def test_where_set_up_stops_it_says_why_and_goes_on_when_told(page: SetupPage) -> None:
    page.talk.end("agent.toml cannot be written")
    shown = await page.read()
    assert "agent.toml cannot be written" in shown
    assert "Go on from here" in shown
    await page.send("do=go-on", number=7)
    assert page.went_on == 0
    await page.send("do=go-on")
    assert page.went_on == 1
    page.talk.begin()
    await page.send("do=go-on")
    assert page.went_on == 1
    page.talk.end("")
    assert "Everything is set up" in await page.read()
    assert page.site.end_seen.is_set()


async def test_every_other_address_leads_to_set_up(page: SetupPage) -> None:
    for path in ("/", "/left", "/consent", "/nowhere"):
        assert (await page.site.answer(replace(LOCAL, path=path))).headers["Location"] == "/setup"
