"""What a home's own page calls missing: a hole among what has arrived, never what is still on its way."""

from tests.hub.web.conftest import SignIn


async def test_a_hole_of_today_is_named(sign_in: SignIn) -> None:
    page = (await (await sign_in("m02")).get("/my-home")).text
    assert "quarter hours of today are missing in it" in page


async def test_what_is_on_its_way_is_not_called_missing(sign_in: SignIn) -> None:
    page = (await (await sign_in("m11")).get("/my-home")).text
    assert "No contact with your home since" in page
    assert "missing in it" not in page
