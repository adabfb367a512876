"""A member's invoice and self-billed credit note for a month, in whole cents. It knows no law: rates are handed in.

Rounding: tax is computed once per document and rate, on the sum of that rate's lines, half a cent upwards. Net amounts
are the statement's cents, which add up over all members.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

PPM: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class BillLine:
    """One net amount and its rate. Raises: ValueError for a negative amount or a rate that is none.

    With `reverse_charge` the recipient owes the tax: it is named, and not part of the document's sum.
    """

    name: str
    net_cent: int
    rate_ppm: int
    reverse_charge: bool = False

    def __post_init__(self) -> None:
        if self.net_cent < 0:
            raise ValueError(f"{self.name}: a line is not negative; what is owed to the member goes to the credit note")
        if not 0 <= self.rate_ppm <= PPM:
            raise ValueError(f"{self.name}: {self.rate_ppm} ppm is no tax rate")

    def plain(self) -> dict[str, object]:
        """The line as a table for JSON."""
        return {
            "name": self.name,
            "net_cent": self.net_cent,
            "rate_ppm": self.rate_ppm,
            "reverse_charge": self.reverse_charge,
        }


@dataclass(frozen=True, slots=True)
class TaxTerms:
    """How a member's month is taxed. Numbers of documents come from whoever keeps their sequence; none, no document.

    The invoice bills energy received and `fees`; the credit note, written by the co-op for the seller, energy sold.
    """

    received_ppm: int
    sold_ppm: int
    invoice_number: str | None = None
    credit_note_number: str | None = None
    received_reverse_charge: bool = False
    sold_reverse_charge: bool = False
    fees: tuple[BillLine, ...] = ()


def tax_cent(net_cent: int, rate_ppm: int) -> int:
    """The tax on a net amount that is not negative, half a cent upwards."""
    return (2 * net_cent * rate_ppm + PPM) // (2 * PPM)


def bill_month(debit_cent: int, credit_cent: int, *, terms: TaxTerms) -> list[dict[str, object]]:
    """The documents of a month, each only where it has a number."""
    documents = []
    if terms.invoice_number is not None:
        received = BillLine("received", debit_cent, terms.received_ppm, terms.received_reverse_charge)
        documents.append(_document("invoice", terms.invoice_number, [received, *terms.fees]))
    if terms.credit_note_number is not None:
        sold = BillLine("sold", credit_cent, terms.sold_ppm, terms.sold_reverse_charge)
        documents.append(_document("self-billed credit note", terms.credit_note_number, [sold]))
    return documents


def _document(kind: str, number: str, lines: Sequence[BillLine]) -> dict[str, object]:
    net = sum(line.net_cent for line in lines)
    taxes: list[dict[str, object]] = []
    charged = 0
    for rate_ppm, reverse in sorted({(line.rate_ppm, line.reverse_charge) for line in lines}):
        base = sum(line.net_cent for line in lines if (line.rate_ppm, line.reverse_charge) == (rate_ppm, reverse))
        tax = tax_cent(base, rate_ppm)
        charged += 0 if reverse else tax
        taxes.append({"rate_ppm": rate_ppm, "reverse_charge": reverse, "net_cent": base, "tax_cent": tax})
    return {
        "kind": kind,
        "number": number,
        "lines": [line.plain() for line in lines],
        "taxes": taxes,
        "net_cent": net,
        "tax_cent": charged,
        "gross_cent": net + charged,
    }
