"""What a verification found: contradictions, one sentence each. It checks nothing itself."""

from dataclasses import dataclass, field
from typing import Final

FINDINGS_MAX: Final = 100


@dataclass
class CheckResult:
    """All contradictions are counted, the first FINDINGS_MAX are kept as sentences."""

    wrong: int = 0
    findings: list[str] = field(default_factory=list)

    def note(self, sentence: str) -> None:
        """One contradiction."""
        self.wrong += 1
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(sentence)
