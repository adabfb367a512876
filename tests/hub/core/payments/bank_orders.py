"""What the tests of bank orders share: accounts of the IBAN registry, orders, and an order as a JSON document."""

import string
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from hypothesis import strategies as st

from hub.core.payments.sepa import Collection, CollectionOrder, Party, Payout, PayoutOrder
from hub.core.payments.sepa_text import IBAN_LENGTHS, unreadable_letters

# The examples of the IBAN registry (SWIFT) for countries of SEPA.
REGISTRY = [
    "AD1200012030200359100100",
    "AT611904300234573201",
    "BE68539007547034",
    "BG80BNBG96611020345678",
    "CH9300762011623852957",
    "CY17002001280000001200527600",
    "CZ6508000000192000145399",
    "DE89370400440532013000",
    "DK5000400440116243",
    "EE382200221020145685",
    "ES9121000418450200051332",
    "FI2112345600000785",
    "FR1420041010050500013M02606",
    "GB29NWBK60161331926819",
    "GI75NWBK000000007099453",
    "GR1601101250000000012300695",
    "HR1210010051863000160",
    "HU42117730161111101800000000",
    "IE29AIBK93115212345678",
    "IS140159260076545510730339",
    "IT60X0542811101000000123456",
    "LI21088100002324013AA",
    "LT121000011101001000",
    "LU280019400644750000",
    "LV80BANK0000435195001",
    "MC5811222000010123456789030",
    "MT84MALT011000012345MTLCAST001S",
    "NL91ABNA0417164300",
    "NO9386011117947",
    "PL61109010140000071219812874",
    "PT50000201231234567890154",
    "RO49AAAA1B31007593840000",
    "SE4550000000058398257466",
    "SI56191000000123438",
    "SK3112000000198742637541",
    "SM86U0322509800000000270100",
]
PAYER = Party("Genossenschaft Sonnenstraße", "DE89 3704 0044 0532 0130 00")
CREDITOR_ID = "DE98ZZZ09999999999"
NOW = datetime(2026, 11, 3, 8, 0, tzinfo=UTC)


def payout(number: int = 1, **changes: Any) -> Payout:
    return replace(Payout(f"m{number:02d}-2026-10", Party("Household 1", REGISTRY[1]), 1234, "October"), **changes)


def payouts(*items: Payout, **changes: Any) -> PayoutOrder:
    return replace(PayoutOrder("cw-2026-10-M1", NOW, date(2026, 11, 5), PAYER, items or (payout(),)), **changes)


def collection(number: int = 1, **changes: Any) -> Collection:
    made = Collection(f"m{number:02d}", Party("Bo", REGISTRY[2]), 99, "Fee", "MND-1", date(2026, 1, 2))
    return replace(made, **changes)


def collections(*items: Collection, **changes: Any) -> CollectionOrder:
    order = CollectionOrder("cw-2", NOW, date(2026, 11, 5), PAYER, CREDITOR_ID, items or (collection(),))
    return replace(order, **changes)


def with_check_digits(country: str, bban: str) -> str:
    number = int("".join(str(int(char, 36)) for char in bban + country + "00"))
    return f"{country}{98 - number % 97:02d}{bban}"


@st.composite
def ibans(draw: st.DrawFn) -> str:
    country = draw(st.sampled_from(sorted(IBAN_LENGTHS)))
    length = IBAN_LENGTHS[country] - 4
    bban = draw(st.text(string.digits + string.ascii_uppercase, min_size=length, max_size=length))
    return with_check_digits(country, bban)


def is_readable(name: str) -> bool:
    return not unreadable_letters(name)


names = st.one_of(
    st.sampled_from(["Ünal Çelik", "Γιώργος", "Щърбанов & Co", "O'Neill–Núñez", "Олексій Ґудзь", "<b>Eve</b>"]),
    st.text(st.characters(exclude_categories=[]), max_size=90).map(lambda text: "A" + text).filter(is_readable),
)
parties = st.builds(Party, names, ibans(), st.sampled_from([None, "COBADEFFXXX", "ABNANL2A"]))
cents = st.integers(1, 99_999_999_999)


def payment_lists(payment: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    numbered = st.lists(payment, min_size=1, max_size=6)
    return numbered.map(lambda items: tuple(replace(item, reference=f"r-{i}") for i, item in enumerate(items)))


def document(**changes: Any) -> dict[str, Any]:
    payment = {"reference": "m01", "name": "Household 1", "iban": REGISTRY[1], "amount_cent": 1234, "text": "October"}
    account = {"name": PAYER.name, "iban": PAYER.iban}
    head = {"kind": "payouts", "message_id": "cw-1", "created_at": NOW.isoformat(), "date": "2026-11-05"}
    head |= {"account": account, "payments": [payment]}
    return {**head, **changes}
