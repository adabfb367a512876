"""A chain of attestations for tests: month runs, approvals and publications, signed by a fixed key."""

from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.core.ledger.attestations import (
    APPROVAL,
    FIRST_PREVIOUS,
    MONTH_RUN,
    PUBLICATION,
    AttestedDocument,
    attest,
    read_attestation,
)
from hub.core.ledger.month_runs import MonthRun, month_content, read_month_runs

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
MONTH = "2026-05"


class SignedChain:
    """Documents in the order they were signed."""

    def __init__(self) -> None:
        self.documents: list[AttestedDocument] = []
        self.head = (0, FIRST_PREVIOUS)

    def add(self, kind: str, content: dict[str, Any], *, run_key: str, subject: str = MONTH) -> None:
        signed = attest(content, kind=kind, subject=subject, run_key=run_key, coop="sunny", head=self.head, key=KEY)
        self.head = signed.head
        self.documents.append(read_attestation(signed.document))

    def make(self, kind: str, run_key: str, *, month: str = MONTH) -> None:
        content = month_content(
            [(f"{month}-01", "d1"), (f"{month}-02", "d2")],
            kind=kind,
            digests=("rules", "inputs"),
            provisional_days=1,
            ledger=(7, bytes(32)),
            made_at=1_000 + len(self.documents),
            decision="",
        )
        self.add(MONTH_RUN, content, run_key=run_key, subject=month)

    def approve(self, run_key: str, *members: str) -> None:
        for member in members:
            self.add(APPROVAL, {"member": member, "at": 2_000 + len(self.documents)}, run_key=run_key)

    def publish(self, run_key: str, member: str = "m01") -> None:
        self.add(PUBLICATION, {"member": member, "at": 3_000 + len(self.documents)}, run_key=run_key)

    @property
    def runs(self) -> tuple[MonthRun, ...]:
        return read_month_runs(self.documents)

    def run(self, run_key: str) -> MonthRun:
        return next(run for run in self.runs if run.run_key == run_key)
