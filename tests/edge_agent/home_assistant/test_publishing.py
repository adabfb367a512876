"""The home at a real broker: what appears there, what an answer does, and a broker that is gone or says no."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edge_agent.home_assistant.publishing import HomeAssistantLink, HomeEnergies
from edge_agent.home_broker.address import BrokerSignIn, Credentials, HomeBroker
from edge_agent.home_store.credit_days import CreditBook, yesterday
from edge_agent.home_store.energy_totals import EnergyTotals
from edge_agent.metering.counter_records import ReadingVerdict
from edge_agent.metering.home_meter import ClosedSlot, Sample
from edge_agent.outbox.opening import open_outbox
from edge_agent.sections.home_assistant import HomeAssistantChoice
from protocols.consent.reduction import SlotValue
from protocols.quantities import Mark, Measure
from protocols.wire.credits.notices import CreditDay, CreditsNotice, encode_credits
from protocols.wire.messages import AnswerChoice, PromptNotice, encode_prompt
from tests.edge_agent.hand_clock import until
from tests.edge_agent.home_mosquitto import PASSWORD, USER, home_broker, listening, needs_mosquitto
from tests.edge_agent.page.page_home import GRID, NOW_S, NOW_SLOT, SUN, TZ, PageHome
from tests.edge_agent.stub_hub import free_port

pytestmark = needs_mosquitto
RIGHT = Credentials(USER, PASSWORD)
CONFIG = "homeassistant/{}/commonwatt_{}/config"


@contextlib.asynccontextmanager
async def shown(
    folder: Path, port: int, *, credentials: Credentials = RIGHT, book: CreditBook | None = None
) -> AsyncIterator[tuple[PageHome, EnergyTotals, asyncio.Task[None]]]:
    """A home with a meter and a roof, shown at the broker on this port."""
    folder.mkdir(exist_ok=True)
    home, totals = PageHome(folder), EnergyTotals(folder)
    energies = HomeEnergies(totals, book or CreditBook(folder, agent=home.running.agent))
    choice = HomeAssistantChoice(HomeBroker("127.0.0.1", port), BrokerSignIn())
    link = HomeAssistantLink(choice, home.running, energies=energies, credentials=credentials)
    task = asyncio.create_task(link.run())
    try:
        yield home, totals, task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def closed(at: int, energy_wh: int) -> ClosedSlot:
    return ClosedSlot(NOW_SLOT + at, {Measure.GRID_IMPORT: SlotValue(energy_wh, Mark.MEASURED)}, ())


async def test_the_home_appears_with_its_values_and_goes_when_the_agent_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_agent.home_assistant.publishing.LOOK_EVERY_S", 0.05)
    with home_broker(tmp_path) as broker, listening(broker.port) as heard:
        async with shown(tmp_path / "data", broker.port) as (home, totals, _):
            agent = home.running.agent
            at = f"commonwatt/{agent}"
            home.live.note(GRID, Sample(NOW_S - 5, {}, -1400), ReadingVerdict.GOOD)
            totals.add([closed(0, 250)])
            await until(lambda: heard.texts.get(f"{at}/grid_power") == "-1400", 30, "the power")
            await until(lambda: heard.texts.get(f"{at}/grid_import") == "0.250", 30, "the energy")
            assert heard.texts[f"{at}/availability"] == "online"
            assert heard.texts[f"{at}/sun_power"] == "None", "a roof that shows nothing"
            assert json.loads(heard.texts[CONFIG.format("sensor", f"{agent}/grid_power")])["unit_of_measurement"] == "W"
            await until(lambda: heard.texts.get(f"{at}/sun_to_spare") == "None", 30, "the sun")
            home.live.note(SUN, Sample(NOW_S - 5, {}, 2000), ReadingVerdict.GOOD)
            await until(lambda: heard.texts.get(f"{at}/home_power") == "600", 30, "what the home uses")
            with listening(broker.port) as later:
                await until(lambda: CONFIG.format("sensor", f"{agent}/grid_power") in later.retained, 30, "discovery")
                assert f"{at}/availability" in later.retained
                assert not {f"{at}/grid_power", f"{at}/grid_import"} & later.retained
        await until(lambda: heard.texts[f"{at}/availability"] == "offline", 30, "the goodbye")


def told(received_wh: int, *, at: int) -> bytes:
    """The hub's word on the day before the test's."""
    slots = yesterday(NOW_S, TZ)
    return encode_credits(CreditsNotice("a-07", at, (CreditDay(slots.start, 96, False, received_wh, 1040, 5000, 0),)))


async def test_yesterdays_energies_follow_the_hubs_word_and_are_unknown_once_the_day_has_passed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_agent.home_assistant.publishing.LOOK_EVERY_S", 0.05)
    folder, at = tmp_path / "data", "commonwatt/a-07"
    received = CONFIG.format("sensor", "a-07/received_yesterday")
    book = CreditBook(folder, agent="a-07")
    with home_broker(tmp_path) as broker, listening(broker.port) as heard:
        async with shown(folder, broker.port, book=book) as (home, _, _):
            await until(lambda: heard.texts.get(f"{at}/grid_power"), 30, "the first look")
            assert f"{at}/received_yesterday" not in heard.texts, "an older hub tells nothing, and nothing is shown"
            await book.note(told(3210, at=int(NOW_S) - 500))
            await until(lambda: heard.texts.get(f"{at}/given_yesterday"), 30, "the first notice")
            assert json.loads(heard.texts[f"{at}/received_yesterday"]) == {
                "kwh": 3.21, "last_reset": "2026-06-09T22:00:00+00:00",
            }  # fmt: skip
            assert json.loads(heard.texts[f"{at}/given_yesterday"])["kwh"] == 1.04
            assert json.loads(heard.texts[f"{at}/received_yesterday/details"]) == {
                "day": "2026-06-10", "state": "preliminary",
            }  # fmt: skip
            assert json.loads(heard.texts[received])["state_class"] == "total"
            await book.note(told(3300, at=int(NOW_S) - 400))
            await until(lambda: "3.3," in heard.texts[f"{at}/received_yesterday"], 30, "the correction")
            home.now_s += 86_400
            await until(lambda: "null" in heard.texts[f"{at}/received_yesterday"], 30, "the next day")
            assert json.loads(heard.texts[f"{at}/received_yesterday"])["last_reset"] == ""
            assert json.loads(heard.texts[f"{at}/received_yesterday/details"]) == {}


async def test_a_button_answers_its_prompt_like_the_command_and_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("edge_agent.home_assistant.publishing.LOOK_EVERY_S", 0.05)
    prompt = PromptNotice(
        "p-1", "dishwasher", NOW_SLOT + 30, NOW_SLOT + 33, NOW_SLOT + 8, NOW_SLOT + 11, 900,
        (("expected_surplus_wh", 500),), int(NOW_S) + 600,
    )  # fmt: skip
    with home_broker(tmp_path) as broker, listening(broker.port) as heard:
        async with (
            open_outbox(tmp_path / "data", max_mb=4, now_s=NOW_S) as (outbox, _),
            shown(tmp_path / "data", broker.port) as (home, _, _),
        ):
            agent = home.running.agent
            answer, button = f"commonwatt/{agent}/answer", CONFIG.format("button", f"{agent}/answer_yes")
            await until(lambda: heard.texts.get(f"commonwatt/{agent}/question") == "no question", 30, "no question")
            assert heard.texts.get(button, "") == ""
            await outbox.keep_prompt("p-1", encode_prompt(prompt), now_s=NOW_S)
            await until(lambda: heard.texts.get(button), 30, "the button")
            await until(lambda: heard.texts[f"commonwatt/{agent}/sun_to_spare"] == "OFF", 30, "the next sun")
            assert heard.texts[f"commonwatt/{agent}/question"].startswith("dishwasher: 2026-06-11 14:15 to 15:15")
            for other in ("yes p-2", "perhaps p-1", "\n" * 300):
                heard.publish(answer, other)
            heard.publish(answer, json.loads(heard.texts[button])["payload_press"])
            await until(lambda: heard.texts[button] == "", 30, "the buttons' end")
            assert [(each[0], each[1]) for each in await outbox.given_answers()] == [("p-1", AnswerChoice.YES)]
            await until(lambda: heard.texts[f"commonwatt/{agent}/question"] == "no question", 30, "the question's end")
    assert "an answer from Home Assistant was not taken: prompt 'p-2' is not known here" in caplog.text
    assert "perhaps" not in caplog.text


async def test_a_press_kept_by_the_broker_answers_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_agent.home_assistant.publishing.LOOK_EVERY_S", 0.05)
    prompt = PromptNotice("p-1", "dishwasher", 1, 2, 3, 4, 900, (), int(NOW_S) + 600)
    with home_broker(tmp_path) as broker, listening(broker.port) as heard:
        async with open_outbox(tmp_path / "data", max_mb=4, now_s=NOW_S) as (outbox, _):
            await outbox.keep_prompt("p-1", encode_prompt(prompt), now_s=NOW_S)
            agent = PageHome(tmp_path / "data").running.agent
            heard.publish(f"commonwatt/{agent}/answer", "yes p-1", is_retained=True)
            async with shown(tmp_path / "data", broker.port):
                await until(lambda: heard.texts.get(CONFIG.format("button", f"{agent}/answer_yes")), 30, "the button")
                assert await outbox.given_answers() == []


async def test_a_broker_that_goes_is_said_once_and_told_everything_when_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "commonwatt.agent")
    monkeypatch.setattr("edge_agent.home_assistant.publishing.LOOK_EVERY_S", 0.05)
    with home_broker(tmp_path) as broker:
        async with shown(tmp_path / "data", broker.port) as (home, totals, task):
            totals.add([closed(0, 250)])
            await until(lambda: "connected" in caplog.text, 30, "the connection")
            broker.stop()
            await until(lambda: "measuring goes on" in caplog.text, 30, "the word that it is gone")
            totals.add([closed(1, 50)])
            broker.start()
            with listening(broker.port) as heard:
                energy = f"commonwatt/{home.running.agent}/grid_import"
                await until(lambda: heard.texts.get(energy) == "0.300", 60, "the energy again")
                assert any(text for topic, text in heard.texts.items() if topic.startswith("homeassistant/sensor"))
            assert not task.done()
    assert PASSWORD not in caplog.text


@pytest.mark.parametrize("is_there", [True, False])
async def test_a_broker_that_refuses_or_was_never_there_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, is_there: bool
) -> None:
    with home_broker(tmp_path) as broker:
        port = broker.port if is_there else free_port()
        async with shown(tmp_path / "data", port, credentials=Credentials(USER, "wrong-kettle")) as (_, _, task):
            words = "are username and password_file right?" if is_there else "cannot be reached"
            await until(lambda: words in caplog.text, 30, "the reason")
            assert not task.done()
    assert "wrong-kettle" not in caplog.text
    assert (tmp_path / "data" / "energy_totals.json").is_file()
