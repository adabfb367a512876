"""A member's bank account and mandate as the page shows them: never more of an IBAN than country and last four."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from hub.core.payments.accounts import CoopAccount, masked
from hub.storage.account_records import AccountRow, BankDetails, mandate_fields
from hub.storage.records import Member
from hub.web.frame.translation import Localizer


@dataclass(frozen=True, slots=True)
class AccountPage:
    """What stands now, and how it came to it. `creditor` is (name, identifier) of a co-op that collects."""

    account: str
    holder: str
    entered: str
    mandate: str
    mandate_since: str
    history: tuple[str, ...]
    creditor: tuple[str, str] | None


def account_page(
    details: BankDetails, words: Localizer, *, members: Sequence[Member], me: Member, bank: CoopAccount | None
) -> AccountPage:
    """The page over the member's own details."""
    names = {member.id: member.name for member in members}
    account, mandate = details.account_of(me.id), details.mandate_of(me.id)
    collects = bank is not None and bool(bank.creditor_id)
    return AccountPage(
        account="" if account is None else masked(account.iban),
        holder=me.name if account is None else account.name,
        entered="" if account is None else _entered(account, names, words, me=me.id),
        mandate="" if mandate is None else mandate.id,
        mandate_since="" if mandate is None else words.day(date.fromisoformat(mandate.signed_on)),
        history=tuple(_history(details, names, words, me=me.id)),
        creditor=(bank.name, bank.creditor_id) if bank is not None and collects else None,
    )


def _entered(row: AccountRow, names: Mapping[str, str], words: Localizer, *, me: str) -> str:
    when = words.moment(row.made_at)
    if row.made_by == me:
        return words.say("You entered it on %(when)s.", when=when)
    return words.say("%(who)s entered it for you on %(when)s.", who=names.get(row.made_by, row.made_by), when=when)


def _history(details: BankDetails, names: Mapping[str, str], words: Localizer, *, me: str) -> list[str]:
    """Every step, the newest first."""
    steps = [(row.made_at, row.id, _account_step(row, names, words)) for row in details.accounts]
    for place, row in enumerate(details.mandates):
        given = words.say("%(when)s: mandate %(id)s given", when=words.moment(row.made_at), id=row.id)
        steps.append((row.made_at, 10**9 + place, f"{given}, {_by(row.made_by, names, words)}"))
        if row.ended_at is not None and row.ended_by is not None:
            ended = words.say("%(when)s: mandate %(id)s ended", when=words.moment(row.ended_at), id=row.id)
            steps.append((row.ended_at, 10**9 + place, f"{ended}, {_by(row.ended_by, names, words)}"))
    return [words_ for _, _, words_ in sorted(steps, key=lambda step: step[:2], reverse=True)]


def _account_step(row: AccountRow, names: Mapping[str, str], words: Localizer) -> str:
    entered = words.say("%(when)s: account %(iban)s entered", when=words.moment(row.made_at), iban=masked(row.iban))
    return f"{entered}, {_by(row.made_by, names, words)}"


def _by(who: str, names: Mapping[str, str], words: Localizer) -> str:
    return words.say("by %(who)s", who=names.get(who, who))


def account_json(details: BankDetails) -> dict[str, object]:
    """The member's own details for programs, the IBAN masked here too."""
    return {
        "accounts": [
            {"iban": masked(row.iban), "name": row.name, "made_by": row.made_by, "made_at": row.made_at}
            for row in details.accounts
        ],
        "mandates": [mandate_fields(row) for row in details.mandates],
    }
