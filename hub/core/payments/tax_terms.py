"""How a co-op's months are taxed: rates by date, each member's tax status, and the sentences documents must contain.

It knows no country's law or rates: the board enters all of it. Units: rates in ppm of the net amount.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Final

PPM: Final = 1_000_000
BOUGHT, SOLD, FEES = "bought", "sold", "fees"
STANDARD, PRIVATE, SMALL_BUSINESS, REVERSE_CHARGE = "standard", "private", "small_business", "reverse_charge"
SELLS_AS: Final = (PRIVATE, STANDARD, SMALL_BUSINESS, REVERSE_CHARGE)
BUYS_AS: Final = (STANDARD, REVERSE_CHARGE)
SELF_BILLING: Final = "self_billing"
WORDS: Final = (SELF_BILLING, REVERSE_CHARGE, SMALL_BUSINESS, PRIVATE)


@dataclass(frozen=True, slots=True)
class TaxRates:
    """The rates that apply from a local day on; a co-op that is a small business charges no tax on energy and fees.

    The rate on what members sell is their own, so it applies either way.
    """

    from_day: str
    bought_ppm: int
    sold_ppm: int
    fees_ppm: int
    small_business: bool = False


@dataclass(frozen=True, slots=True)
class TaxStatus:
    """How a member sells and buys from a local day on. Members without a status sell as private persons."""

    member: str
    from_day: str
    sells: str = PRIVATE
    buys: str = STANDARD
    tax_number: str = ""


@dataclass(frozen=True, slots=True)
class TaxTreatment:
    """How a member's amount of one kind is taxed on a day. `note_key` names the sentence the document must contain."""

    rate_ppm: int = 0
    reverse_charge: bool = False
    note_key: str = ""


@dataclass(frozen=True, slots=True)
class TaxTerms:
    """All tax terms of a co-op. `issuer` is its name, address and tax number, line by line, as documents show them."""

    issuer: tuple[str, ...]
    rates: tuple[TaxRates, ...]
    statuses: tuple[TaxStatus, ...] = ()
    words: Mapping[str, str] = field(default_factory=dict)

    def plain(self) -> dict[str, object]:
        """The terms as a table for JSON."""
        return asdict(self)

    def tax_status(self, member: str, day: str) -> TaxStatus:
        """The member's tax status on a local day."""
        known = [each for each in self.statuses if each.member == member and each.from_day <= day]
        return max(known, key=lambda each: each.from_day, default=TaxStatus(member, ""))

    def treatment(self, member: str, kind: str, day: str) -> TaxTreatment:
        """How the member's amounts of this kind are taxed on a local day; untaxed before the first rates apply."""
        known = [each for each in self.rates if each.from_day <= day]
        if not known:
            return TaxTreatment()
        rates, status = max(known, key=lambda each: each.from_day), self.tax_status(member, day)
        if kind == SOLD:
            taxed = status.sells in (STANDARD, REVERSE_CHARGE)
            note_key = "" if status.sells == STANDARD else status.sells
            return TaxTreatment(rates.sold_ppm if taxed else 0, status.sells == REVERSE_CHARGE, note_key)
        if rates.small_business:
            return TaxTreatment(note_key=SMALL_BUSINESS)
        rate_ppm = rates.bought_ppm if kind == BOUGHT else rates.fees_ppm
        is_reverse = status.buys == REVERSE_CHARGE
        return TaxTreatment(rate_ppm, is_reverse, REVERSE_CHARGE if is_reverse else "")

    def needed_words(self) -> tuple[str, ...]:
        """The keys of the sentences that some document must contain under these terms."""
        needed = {SELF_BILLING} if any(each.sells != PRIVATE for each in self.statuses) else set()
        needed |= {each.sells for each in self.statuses if each.sells in (SMALL_BUSINESS, REVERSE_CHARGE)}
        needed |= {REVERSE_CHARGE for each in self.statuses if each.buys == REVERSE_CHARGE}
        needed |= {SMALL_BUSINESS for each in self.rates if each.small_business}
        return tuple(note_key for note_key in WORDS if note_key in needed)
