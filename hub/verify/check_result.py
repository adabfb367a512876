"""What a verification found: contradictions, one sentence each. It checks nothing itself."""

from dataclasses import dataclass, field
from typing import Final

FINDINGS_MAX: Final = 100


@dataclass
class CheckResult:
    """Counts all contradictions and lists the first FINDINGS_MAX as sentences."""

    wrong: int = 0
    findings: list[str] = field(default_factory=list)

    def note(self, sentence: str) -> None:
        """Record one contradiction."""
        self.wrong += 1
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(sentence)
