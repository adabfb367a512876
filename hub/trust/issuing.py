"""What enrolment and renewal need of the co-op's authority: its root, and certificates for agents."""

from typing import Protocol


class AgentIssuer(Protocol):
    """Issues agents' certificates. `issue_agent` raises ValueError with a sentence for a bad request."""

    @property
    def root_pem(self) -> bytes: ...
    def issue_agent(self, csr_der: bytes, *, agent: str, now_s: int) -> bytes: ...
