"""Members' bank accounts and mandates as typed rows; no SQL and no I/O here. An IBAN never appears in a repr."""

from dataclasses import asdict, dataclass, field


@dataclass(frozen=True, slots=True)
class NewAccount:
    """A member's bank account for payouts and collections, as `made_by` entered it."""

    member: str
    name: str
    iban: str = field(repr=False)
    made_by: str
    made_at: int


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account in a member's history; the latest one is used."""

    id: int
    member: str
    name: str
    iban: str = field(repr=False)
    made_by: str
    made_at: int


@dataclass(frozen=True, slots=True)
class MandateRow:
    """A member's permission to collect from this account; `ended_at` is None while it is in force."""

    id: str
    account: int
    member: str
    signed_on: str
    made_by: str
    made_at: int
    ended_by: str | None
    ended_at: int | None


@dataclass(frozen=True, slots=True)
class BankDetails:
    """Accounts and mandates in the order they were entered."""

    accounts: tuple[AccountRow, ...]
    mandates: tuple[MandateRow, ...]

    def account_of(self, member: str) -> AccountRow | None:
        """The account in use for this member."""
        return next((row for row in reversed(self.accounts) if row.member == member), None)

    def mandate_of(self, member: str) -> MandateRow | None:
        """The mandate in force for this member."""
        return next((row for row in reversed(self.mandates) if row.member == member and row.ended_at is None), None)


def mandate_fields(row: MandateRow) -> dict[str, object]:
    """A mandate for JSON: all fields except the account."""
    return {name: value for name, value in asdict(row).items() if name != "account"}
