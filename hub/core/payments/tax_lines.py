"""The lines and taxes of one bill or credit note, in whole cents. It knows no tax law: the caller passes the rates.

Rounding: tax is computed once per document and rate, on the sum of that rate's lines; half a cent is rounded up. Net
amounts are the statement's cents, which add up over all members.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

PPM: Final = 1_000_000
RECEIVED, SOLD, FEE = "received", "sold", "fee"


@dataclass(frozen=True, slots=True)
class BillLine:
    """One net amount and its rate. `days` are its first and last local day where a document has several such lines.

    `part` is for a fee by day: days of membership, days of the month, and the whole month's fee in nano-currency.
    With `reverse_charge` the recipient owes the tax: it is shown but is not part of the document's sum.
    Raises: ValueError for a negative amount or a rate outside 0 to 100 %.
    """

    name: str
    net_cent: int
    rate_ppm: int
    reverse_charge: bool = False
    days: tuple[str, str] | None = None
    part: tuple[int, int, int] | None = None

    def __post_init__(self) -> None:
        if self.net_cent < 0:
            raise ValueError(
                f"{self.name}: a line cannot be negative; what is owed to the member goes on the credit note"
            )
        if not 0 <= self.rate_ppm <= PPM:
            raise ValueError(f"{self.name}: {self.rate_ppm} ppm is not a tax rate from 0 to {PPM}")

    def plain(self) -> dict[str, object]:
        """The line as a table for JSON."""
        return {
            "name": self.name,
            "net_cent": self.net_cent,
            "rate_ppm": self.rate_ppm,
            "reverse_charge": self.reverse_charge,
            "days": None if self.days is None else list(self.days),
            **({} if self.part is None else {"part": list(self.part)}),
        }


def tax_cent(net_cent: int, rate_ppm: int) -> int:
    """The tax on a non-negative net amount; half a cent is rounded up.

    >>> tax_cent(1_250, 200_000), tax_cent(5, 100_000), tax_cent(4, 100_000)
    (250, 1, 0)
    """
    return (2 * net_cent * rate_ppm + PPM) // (2 * PPM)


def add_up(lines: Sequence[BillLine]) -> dict[str, object]:
    """A document's lines, taxes by rate and sums. Reverse-charged tax is shown but not charged.

    >>> bill = add_up([BillLine("received", 1_250, 200_000), BillLine("fee", 300, 100_000)])
    >>> bill["net_cent"], bill["tax_cent"], bill["gross_cent"]
    (1550, 280, 1830)
    """
    net = sum(line.net_cent for line in lines)
    taxes: list[dict[str, object]] = []
    charged = 0
    for rate_ppm, reverse in sorted({(line.rate_ppm, line.reverse_charge) for line in lines}):
        base = sum(line.net_cent for line in lines if (line.rate_ppm, line.reverse_charge) == (rate_ppm, reverse))
        tax = tax_cent(base, rate_ppm)
        charged += 0 if reverse else tax
        taxes.append({"rate_ppm": rate_ppm, "reverse_charge": reverse, "net_cent": base, "tax_cent": tax})
    return {
        "lines": [line.plain() for line in lines],
        "taxes": taxes,
        "net_cent": net,
        "tax_cent": charged,
        "gross_cent": net + charged,
    }
