"""A member's bank account and mandate as the page shows them: of an IBAN, only the country and last four characters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from hub.core.payments.accounts import CoopAccount, masked
from hub.storage.account_records import AccountRow, BankDetails, mandate_fields
from hub.storage.records import Member
from hub.web.frame.translation import Localizer


@dataclass(frozen=True, slots=True)
class AccountPage:
    """The current account and mandate, with their history.

    `creditor`: (name, identifier) of a co-op that collects. `pays`: whether the hub knows the co-op's own account,
    without which it makes no payment.
    """

    account: str
    holder: str
    entered: str
    mandate: str
    mandate_since: str
    history: tuple[str, ...]
    creditor: tuple[str, str] | None
    pays: bool


def account_page(
    details: BankDetails, words: Localizer, *, members: Sequence[Member], me: Member, bank: CoopAccount | None
) -> AccountPage:
    """The page for the member's own details."""
    names = {member.id: member.name for member in members}
    account, mandate = details.account_of(me.id), details.mandate_of(me.id)
    collects = bank is not None and bool(bank.creditor_id)
    return AccountPage(
        account="" if account is None else masked(account.iban),
        holder=me.name if account is None else account.name,
        entered="" if account is None else _entered(account, names, words, me=me.person),
        mandate="" if mandate is None else mandate.id,
        mandate_since="" if mandate is None else words.day(date.fromisoformat(mandate.signed_on)),
        history=tuple(_history(details, names, words)),
        creditor=(bank.name, bank.creditor_id) if bank is not None and collects else None,
        pays=bank is not None,
    )


def _entered(row: AccountRow, names: Mapping[str, str], words: Localizer, *, me: str) -> str:
    when = words.moment(row.made_at)
    if row.made_by == me:
        return words.text("You entered it on %(when)s.", when=when)
    return words.text("%(who)s entered it for you on %(when)s.", who=names.get(row.made_by, row.made_by), when=when)


def _history(details: BankDetails, names: Mapping[str, str], words: Localizer) -> list[str]:
    """Every change, newest first."""
    changes = [(row.made_at, row.id, _account_change(row, names, words)) for row in details.accounts]
    for place, row in enumerate(details.mandates):
        given = words.text(
            "%(when)s: mandate %(id)s given by %(who)s",
            when=words.moment(row.made_at),
            id=row.id,
            who=names.get(row.made_by, row.made_by),
        )
        changes.append((row.made_at, 10**9 + place, given))
        if row.ended_at is not None and row.ended_by is not None:
            ended = words.text(
                "%(when)s: mandate %(id)s ended by %(who)s",
                when=words.moment(row.ended_at),
                id=row.id,
                who=names.get(row.ended_by, row.ended_by),
            )
            changes.append((row.ended_at, 10**9 + place, ended))
    return [change for _, _, change in sorted(changes, key=lambda each: each[:2], reverse=True)]


def _account_change(row: AccountRow, names: Mapping[str, str], words: Localizer) -> str:
    return words.text(
        "%(when)s: account %(iban)s entered by %(who)s",
        when=words.moment(row.made_at),
        iban=masked(row.iban),
        who=names.get(row.made_by, row.made_by),
    )


def account_json(details: BankDetails) -> dict[str, object]:
    """The member's own details for programs, with the IBAN masked."""
    return {
        "accounts": [
            {"iban": masked(row.iban), "name": row.name, "made_by": row.made_by, "made_at": row.made_at}
            for row in details.accounts
        ],
        "mandates": [mandate_fields(row) for row in details.mandates],
    }
