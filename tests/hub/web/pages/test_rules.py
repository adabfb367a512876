"""The page of the rules: every version with the people who agreed on it, and what waits for a second person."""

from dataclasses import replace

from hub.core.rules.rulebook import Prices, Rule
from hub.storage.rule_records import NewProposal, RuleAdoption
from hub.storage.sqlite.store import SqliteStore
from tests.hub.web.conftest import SignIn
from tests.hub.web.page_street import NOW_S, TODAY

NEW = Rule("equal", {}, aggregate=4, prices=Prices(170_000, 150_000, 320_000, 80_000), part_month_fee="by_day")


def proposal(store_day: str, rule: Rule = NEW, by: str = "m01") -> NewProposal:
    return NewProposal(rule.version(), rule.canonical(), store_day, "file new.toml", by, int(NOW_S))


async def test_members_read_what_is_proposed_and_then_who_adopted_it(sign_in: SignIn, store: SqliteStore) -> None:
    browser = await sign_in("m02")
    assert (await browser.get("/rules.json")).json()["proposals"] == []
    await store.set_board("m01", is_board=True)
    await store.set_board("m03", is_board=True)
    names = {member.id: member.name for member in await store.members()}
    number = await store.propose_rule(proposal("2026-07-01"))
    page = (await browser.get("/rules")).text
    assert "Proposal 1, from 1 Jul 2026" in page
    assert "It needs a second member of the board to come into force." in page
    await store.adopt_rule(number, adopted=RuleAdoption("m03", int(NOW_S)))
    page = (await browser.get("/rules")).text
    assert "Proposed" not in page.split("Versions")[0].split("<h1>")[1]
    assert f"Proposed by {names['m01']} on" in page
    assert f"adopted by {names['m03']} on" in page
    assert "equal amounts, up to what each home draws" in page
    assert "0.1700 EUR per kWh" in page
    found = (await browser.get("/rules.json")).json()
    assert found["today"] == str(TODAY)
    assert [version["adopted_by"] for version in found["versions"]][-1] == "m03"
    assert found["versions"][-1]["is_in_force"] is False


async def test_how_many_homes_are_netted_otherwise(sign_in: SignIn, store: SqliteStore) -> None:
    otherwise = {"m02": "none", "m03": "15min", "m04": "15min"}
    await store.propose_rule(proposal("2026-07-01", replace(NEW, netting="60min", netting_of=otherwise)))
    page = (await (await sign_in("m02")).get("/rules")).text
    assert page.count("Netted otherwise") == 2
    assert "2 homes: quarter hour" in page
    assert "1 home: not netted" in page


async def test_a_stale_proposal_says_so(sign_in: SignIn, store: SqliteStore) -> None:
    await store.set_board("m01", is_board=True)
    await store.set_board("m03", is_board=True)
    await store.propose_rule(proposal("2026-07-01"))
    other = await store.propose_rule(proposal("2026-08-01", Rule("proportional")))
    await store.adopt_rule(other, adopted=RuleAdoption("m03", int(NOW_S)))
    page = (await (await sign_in("m02")).get("/rules")).text
    assert "It can no longer be adopted." in page


async def test_the_more_page_leads_there(sign_in: SignIn) -> None:
    assert 'href="/rules"' in (await (await sign_in("m02")).get("/more")).text
