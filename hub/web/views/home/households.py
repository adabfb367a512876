"""The homes a visitor sees, who lives in each and who pays for it. It shows no home's values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hub.storage.household_records import HomeAdult, SeenHome
from hub.storage.records import Member
from hub.web.frame.translation import Localizer


@dataclass(frozen=True, slots=True)
class HomeCard:
    """One home of the visitor."""

    id: str
    name: str
    pays: str
    others: str
    is_shown: bool


def home_cards(
    homes: Sequence[SeenHome],
    adults: Sequence[HomeAdult],
    words: Localizer,
    *,
    members: Sequence[Member],
    reader: str,
    shown: str,
) -> tuple[HomeCard, ...]:
    """A card for each home that the visitor holds or lives in; `shown` is the home the pages show now."""
    names = {member.id: member.name for member in members} | {reader: words.text("you")}
    return tuple(_card(each, adults, words, names=names, reader=reader, shown=shown) for each in homes)


def _card(
    seen: SeenHome,
    adults: Sequence[HomeAdult],
    words: Localizer,
    *,
    names: Mapping[str, str],
    reader: str,
    shown: str,
) -> HomeCard:
    if seen.is_paid_by(reader):
        pays = words.text("You hold the contract: the co-op bills you and pays you.")
    else:
        pays = words.text(
            "%(name)s holds the contract: the co-op bills and pays them. You see everything but the bank account.",
            name=seen.holder.name,
        )
    here = [names.get(each.member, each.member) for each in adults if each.home == seen.home.id]
    others = words.text("Other adults who see these pages: %(names)s.", names=words.listed(here)) if here else ""
    return HomeCard(seen.home.id, f"{seen.home.name} ({seen.home.id})", pays, others, seen.home.id == shown)


def homes_json(homes: Sequence[SeenHome], adults: Sequence[HomeAdult], *, reader: str, shown: str) -> dict[str, object]:
    """The same for programs."""
    return {
        "shown": shown,
        "homes": [
            {
                "home": each.home.id,
                "name": each.home.name,
                "membership": each.holder.id,
                "you_pay": each.is_paid_by(reader),
                "adults": [adult.member for adult in adults if adult.home == each.home.id],
            }
            for each in homes
        ],
    }
