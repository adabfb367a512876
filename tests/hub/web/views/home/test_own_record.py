"""The consent page tells what holds, also before the home has signed a consent of its own."""

from hub.web.frame.translation import Localizer
from hub.web.views.home.own_record import HomeConsent, consent_json, consent_page
from protocols.consent.rules import default_consent

WORDS = Localizer("en", "Europe/Berlin", "EUR")


def test_before_the_first_consent_the_default_of_membership_is_shown() -> None:
    found = HomeConsent(default_consent("h01"), is_own=False)
    page = consent_page(found, WORDS, now=1_976_948)
    assert page.headline == "You share only what settlement needs"
    assert page.version is None
    assert [line.is_on for line in page.lines].count(True) >= 1, "settlement's readings are taken in"
    assert consent_json(found)["version"] is None
    assert consent_json(found)["rules"]


def test_a_consent_of_ones_own_has_its_version() -> None:
    found = HomeConsent(default_consent("h01", 7), is_own=True)
    assert consent_page(found, WORDS, now=1_976_948).version == 7
    assert consent_json(found)["version"] == 7


def test_a_consent_that_cannot_be_read_shows_nothing_as_allowed() -> None:
    assert consent_page(None, WORDS, now=1_976_948).lines == ()
    assert consent_json(None) == {"version": None, "rules": []}
