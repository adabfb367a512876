"""Answering prompts and entering appliances: what is accepted, what is refused, and with which sentence."""

import pytest

from hub.storage.records import Appliance
from hub.storage.sqlite.store import SqliteStore
from hub.web.frame.translation import Localizer
from hub.web.views.home.appliance_form import USUAL, appliance_fields, appliances_from_form
from tests.hub.web.conftest import SignIn
from tests.hub.web.page_street import NOW_SLOT

WORDS = Localizer("en", "Europe/Berlin", "EUR")
GOOD = {
    "dishwasher-here": "on",
    "dishwasher-asked": "on",
    "dishwasher-energy": "1,2",
    "dishwasher-duration": "100",
    "dishwasher-usual": "19:30",
    "dishwasher-earliest": "08:00",
    "dishwasher-done-by": "00:00",
}


@pytest.mark.parametrize("choice", ["yes", "no", "never_appliance"])
async def test_an_answer_is_kept_and_thanked_for(sign_in: SignIn, store: SqliteStore, choice: str) -> None:
    browser = await sign_in("m02")
    answer = await browser.post("/prompts/p-open", data={"answer": choice})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/prompts?answered={choice}")
    page = (await browser.get(answer.headers["location"])).text
    assert 'role="status"' in page
    assert "Nothing to answer" in page
    rows = {row.id: row for row in await store.prompts(home="h02", issued=range(NOW_SLOT - 9, NOW_SLOT + 1))}
    assert rows["p-open"].answer == choice
    assert [row.is_asked for row in await store.appliances()] == [choice != "never_appliance"]


async def test_the_last_answer_to_a_prompt_counts(sign_in: SignIn, store: SqliteStore) -> None:
    browser = await sign_in("m02")
    for choice in ("yes", "yes", "never_appliance", "no"):
        assert (await browser.post("/prompts/p-open", data={"answer": choice})).status_code == 303
        rows = {row.id: row.answer for row in await store.prompts(home="h02", issued=range(NOW_SLOT - 9, NOW_SLOT + 1))}
        assert rows["p-open"] == choice
        assert [row.is_asked for row in await store.appliances()] == [choice != "never_appliance"]


@pytest.mark.parametrize("choice", ["", "maybe", "YES", "yes no"])
async def test_an_answer_that_is_none_is_refused(sign_in: SignIn, choice: str) -> None:
    assert (await (await sign_in("m02")).post("/prompts/p-open", data={"answer": choice})).status_code == 422


async def test_prompts_as_json_have_what_a_program_needs_to_answer(sign_in: SignIn) -> None:
    content = (await (await sign_in("m02")).get("/prompts.json")).json()
    assert [prompt["id"] for prompt in content["open"]] == ["p-open"]
    assert {prompt["id"] for prompt in content["past"]} == {"p-yes", "p-no"}
    prompt = content["open"][0]
    assert prompt["proposed_slot"] < prompt["usual_slot"]
    assert prompt["answer_by_slot"] >= NOW_SLOT


async def test_the_card_gives_its_reasons(sign_in: SignIn) -> None:
    page = (await (await sign_in("m02")).get("/prompts")).text
    for piece in ("Why did I get this?", "5.2\N{NO-BREAK SPACE}kWh would be spare", "3 times in the last seven days",
                  "Your home&#39;s consent allows us to propose"):  # fmt: skip
        assert piece in page, piece


def test_a_form_means_its_appliance() -> None:
    told = appliances_from_form("h02", GOOD, WORDS)
    assert told == (Appliance("h02", "dishwasher", 1200, 7, 78, 32, 95, True),)


def test_what_is_shown_comes_back_unchanged() -> None:
    own = tuple(
        Appliance("h02", kind, row.energy_wh, row.duration_slots, row.usual_slot_of_day, row.earliest_slot_of_day,
                  row.latest_slot_of_day, row.is_asked)
        for kind, row in USUAL.items()
    )  # fmt: skip
    form: dict[str, str] = {}
    for field in appliance_fields(own, WORDS):
        form |= {f"{field.kind}-here": "on", f"{field.kind}-asked": "on", f"{field.kind}-energy": field.energy_kwh}
        form |= {f"{field.kind}-duration": str(field.duration_min), f"{field.kind}-usual": field.usual}
        form |= {f"{field.kind}-earliest": field.earliest, f"{field.kind}-done-by": field.done_by}
    assert appliances_from_form("h02", form, WORDS) == own


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("energy", "", "as numbers"),
        ("energy", "-1", "as numbers"),
        ("energy", "1e9", "as numbers"),
        ("energy", "nan", "as numbers"),
        ("energy", "٣", "as numbers"),
        ("energy", "0", "more than 0"),
        ("energy", "101", "at most 100"),
        ("duration", "0", "at least 15 minutes and at most 720 minutes"),
        ("duration", "721", "at least 15 minutes and at most 720 minutes"),
        ("usual", "25:00", "like 18:30"),
        ("usual", "soon", "like 18:30"),
        ("done-by", "08:15", "does not fit"),
    ],
)
async def test_a_field_that_cannot_be_is_named(
    sign_in: SignIn, store: SqliteStore, field: str, value: str, says: str
) -> None:
    browser = await sign_in("m02")
    answer = await browser.post("/my-home/appliances", data=GOOD | {f"dishwasher-{field}": value})
    assert answer.status_code == 422
    assert f"dishwasher: {says}"[:11] in answer.text
    assert says in answer.text
    assert [row.energy_wh for row in await store.appliances()] == [1150]


async def test_a_good_form_is_saved_and_shown(sign_in: SignIn, store: SqliteStore) -> None:
    browser = await sign_in("m02")
    answer = await browser.post("/my-home/appliances", data=GOOD)
    assert answer.status_code == 303
    assert "Your appliances are saved." in (await browser.get(answer.headers["location"])).text
    assert [row.energy_wh for row in await store.appliances()] == [1200]


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"[" * 2000,
        b"{}",
        b"[1]",
        b'[{"kind": "ev"}]',
        b'[{"kind": "tank", "energy_wh": 1, "duration_slots": 1, "usual_slot_of_day": 1, "earliest_slot_of_day": 1,'
        b' "latest_slot_of_day": 9, "is_asked": true}]',
        b'[{"kind": "ev", "energy_wh": true, "duration_slots": 1, "usual_slot_of_day": 1, "earliest_slot_of_day": 1,'
        b' "latest_slot_of_day": 9, "is_asked": true}]',
        b'[{"kind": [], "energy_wh": 1, "duration_slots": 1, "usual_slot_of_day": 1, "earliest_slot_of_day": 1,'
        b' "latest_slot_of_day": 9, "is_asked": true}]',
    ],
)
async def test_json_that_is_no_list_of_appliances_is_refused_whole(
    sign_in: SignIn, store: SqliteStore, content: bytes
) -> None:
    browser = await sign_in("m02")
    answer = await browser.post("/my-home/appliances", content=content, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422)
    assert len(await store.appliances()) == 1


async def test_a_form_of_another_kind_is_refused(sign_in: SignIn) -> None:
    browser = await sign_in("m02")
    answer = await browser.post("/prompts/p-open", files={"answer": (None, "yes")})
    assert answer.status_code == 415
    many = "&".join(f"a{i}=1" for i in range(300))
    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert (await browser.post("/prompts/p-open", content=many, headers=headers)).status_code == 400
