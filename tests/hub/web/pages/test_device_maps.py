"""Device maps on the board's page: one member proposes, another confirms, and nobody else sees or changes anything."""

from hub.board.map_releases import add_map, read_map
from hub.storage.sqlite.store import SqliteStore
from protocols.wire.map_bundles.content import decode_bundle
from tests.hub.commands.homes.test_maps import BRONZE, MAPS, SILVER
from tests.hub.web.conftest import SignIn
from tests.hub.web.page_street import NOW_S
from tests.hub.web.pages.test_payments import make_second_board_member

PAGE = "/board/maps"


async def add(store: SqliteStore, *families: str) -> list[str]:
    """The digests of these maps of the package, added by m01."""
    digests = []
    for family in families:
        device_map, text, faults = read_map(MAPS / f"{family}.toml")
        assert device_map is not None, faults
        digests.append((await add_map(store, device_map, text, by="m01", at=int(NOW_S))).digest)
    return digests


async def test_two_members_of_the_board_release_a_map_and_take_it_back(sign_in: SignIn, store: SqliteStore) -> None:
    await make_second_board_member(store)
    board, second = await sign_in("m01"), await sign_in("m03")
    page = (await board.get(PAGE)).text
    assert "No map is released" in page
    assert "No map was added yet." in page
    bronze, silver = await add(store, BRONZE, SILVER)
    for digest in (bronze, silver):
        assert (await board.post(PAGE, data={"map": digest[:16], "decision": "release"})).status_code == 303
    page = (await board.get(PAGE)).text
    assert page.count('value="confirm"') == 0, "whoever proposed does not confirm"
    assert page.count('<button name="decision" value="withdraw">') == 2
    page = (await second.get(PAGE)).text
    assert "1 of them is bronze: a grid meter that is read with it counts for settlement." in page
    assert f"{BRONZE} <small>{bronze[:16]}</small>" in page
    assert page.count('value="confirm"') == 2
    assert (await board.post(f"{PAGE}/1", data={"decision": "confirm"})).status_code == 409
    assert (await board.post(f"{PAGE}/2", data={"decision": "withdraw"})).status_code == 303
    assert (await second.post(f"{PAGE}/2", data={"decision": "confirm"})).status_code == 409
    assert (await second.post(f"{PAGE}/1", data={"decision": "confirm"})).status_code == 303
    (release,) = await store.map_releases()
    assert [each.id for each in decode_bundle(release.bundle).maps] == [BRONZE]
    assert (
        "Bundle 1 has 1 map. Proposed by Household One, confirmed by Household Dreißig" in (await board.get(PAGE)).text
    )
    assert (await second.post(PAGE, data={"map": bronze[:16], "decision": "withdraw"})).status_code == 303
    assert "Proposal 3: take all maps back" in (await board.get(PAGE)).text
    assert (await board.post(f"{PAGE}/3", data={"decision": "confirm"})).status_code == 303
    assert "Bundle 2 has 0 maps." in (await board.get(PAGE)).text


async def test_an_older_file_of_a_map_is_listed_and_not_proposed_by_a_button(
    sign_in: SignIn, store: SqliteStore
) -> None:
    device_map, text, _ = read_map(MAPS / f"{BRONZE}.toml")
    assert device_map is not None
    await add_map(store, device_map, text, by="m01", at=int(NOW_S))
    await add_map(store, device_map, text + "# newer\n", by="m01", at=int(NOW_S) + 1)
    page = (await (await sign_in("m01")).get(PAGE)).text
    assert page.count(f"<li>{BRONZE} <small>") == 2
    assert page.count('value="release"') == 1


async def test_only_the_board_and_only_with_its_own_forms(sign_in: SignIn, store: SqliteStore) -> None:
    (digest,) = await add(store, SILVER)
    member, board = await sign_in("m02"), await sign_in("m01")
    word = {"map": digest, "decision": "release"}
    assert (await member.get(PAGE)).status_code == 403
    assert (await member.post(PAGE, data=word)).status_code == 403
    assert (await member.post(f"{PAGE}/1", data={"decision": "confirm"})).status_code == 403
    assert (await board.post(PAGE, data=word, headers={"origin": "https://evil.example"})).status_code == 403
    assert await store.map_proposals() == ()
    assert (await board.post(PAGE, data={"map": digest, "decision": "maybe"})).status_code == 422
    assert (await board.post(PAGE, data={"map": "<b>none", "decision": "release"})).status_code == 409
    for number in ("0", "99", "x", "1" * 30, "-1"):
        assert (await board.post(f"{PAGE}/{number}", data={"decision": "confirm"})).status_code in (404, 409), number
