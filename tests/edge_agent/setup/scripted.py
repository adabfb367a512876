"""A conversation from a script, and the parts of set-up without a network: for tests of single steps."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network
from pathlib import Path

from edge_agent.finding.kept_scan import kept_scan
from edge_agent.finding.probe import Sighting
from edge_agent.finding.proposals import FamilyProposal
from edge_agent.finding.search import FoundDevice, SearchNote, SearchPlan, Tell
from edge_agent.settings import Endpoint
from edge_agent.setup.conversation import ConversationEndedError, SetupQuestion, understand
from edge_agent.setup.live import LiveRole
from edge_agent.setup.parts import PairedHome, ReceiptCount, SetupParts
from edge_agent.setup.progress import DeviceChoice
from edge_agent.setup.terminal import question_words
from protocols.consent.rules import ConsentSet, default_consent
from protocols.errors import IdentityError
from protocols.maps.identity_plan import IdentityKnowledge

NOW_S = 1_800_000_000.0


class Script:
    """Answers by words of the question, in order; every question must be expected, and every answer possible."""

    def __init__(self, *replies: tuple[str, str]) -> None:
        self.replies = list(replies)
        self.said: list[str] = []
        self.work: list[str] = []

    async def say(self, text: str) -> None:
        self.said.append(text)

    async def begin_step(self, number: int, title: str, *, of: int) -> None:
        self.said.append(f"Step {number} of {of}: {title}")

    def show_work(self, text: str) -> None:
        self.work.append(text)

    async def ask(self, question: SetupQuestion) -> str:
        before, asked = question_words(question)
        self.said += before
        if not self.replies:
            raise ConversationEndedError("the script is over")
        words, reply = self.replies.pop(0)
        assert words in asked, f"expected a question with {words!r}, found {asked!r}"
        found = understand(question, reply)
        assert found is not None, f"{reply!r} is none of {question.choices}"
        return found

    @property
    def text(self) -> str:
        return "\n".join(self.said)


METER = FamilyProposal("eastron-sdm630", "Eastron", 68, "it looks so", ("grid", "pv", "load"))
OTHER_METER = FamilyProposal("chint-dtsu666", "Chint", 60, "it looks so too", ("grid", "load"))
INVERTER = FamilyProposal("huawei-sun2000", "Huawei", 98, "it says so", ("pv", "battery", "grid"))


def found(*proposals: FamilyProposal, port: int = 502) -> FoundDevice:
    endpoint = Endpoint("tcp", host="192.168.1.20", port=port)
    return FoundDevice(endpoint, 1, "", Sighting(1, IdentityKnowledge(), 1, 1), proposals)


@dataclass
class InventedHome:
    """The outside of set-up. `live` maps a role to what it shows; `readings` counts how often was read."""

    folder: Path
    devices: list[FoundDevice] = field(default_factory=list)
    live: dict[str, LiveRole] = field(default_factory=dict)
    plans: list[SearchPlan] = field(default_factory=list)
    read: list[list[DeviceChoice]] = field(default_factory=list)
    consents: list[ConsentSet] = field(default_factory=list)
    paired: PairedHome | None = None
    receipts: list[ReceiptCount] = field(default_factory=list)
    invitations: list[str] = field(default_factory=list)
    known_only_with_make: bool = False
    networks: tuple[IPv4Network, ...] = ()
    ports: tuple[Path, ...] = ()
    unknown_makes: dict[str, str] = field(default_factory=dict)

    def shows(
        self, role: str, power_w: int | None, *, rated_w: int | None = None, is_before: bool = False, **counters_wh: int
    ) -> None:
        self.live[role] = LiveRole("", role, power_w, counters_wh, rated_w, None, is_before)  # type: ignore[arg-type]

    async def _find(self, plan: SearchPlan, tell: Tell) -> list[FoundDevice]:
        self.plans.append(plan)
        tell(SearchNote("somewhere: silent", is_trouble=True))
        if self.known_only_with_make and plan.makes:
            return [found(METER)]
        return self.devices

    async def _read(self, choices: Sequence[DeviceChoice]) -> tuple[list[LiveRole], list[str]]:
        self.read.append(list(choices))
        shown = []
        for each in choices:
            if each.role in self.live:
                of = self.live[each.role]
                power_w = None if of.power_w is None else -of.power_w if each.invert else of.power_w
                shown.append(replace(of, device=each.name, power_w=power_w))
        return shown, [] if shown else ["it gives nothing"]

    async def _pair(self, invitation: str) -> PairedHome:
        self.invitations.append(invitation)
        if "good" not in invitation:
            raise IdentityError("invitation: expected commonwatt:?hub=...")
        self.paired = PairedHome("a-1", "h01", "sonne")
        return self.paired

    async def _pause(self, _seconds: float) -> None:
        return

    def parts(self) -> SetupParts:
        return SetupParts(
            config=self.folder / "agent.toml",
            find=self._find,
            read=self._read,
            networks=lambda: list(self.networks),
            serial_ports=lambda: list(self.ports),
            paired=lambda: self.paired,
            pair=self._pair,
            consent=lambda: self.consents[-1] if self.consents else default_consent("h01", version=4),
            write_consent=self.consents.append,
            receipts=lambda: self.receipts.pop(0) if len(self.receipts) > 1 else self.receipts[0],
            now=lambda: NOW_S,
            pause=self._pause,
            unknown_makes=lambda makes: [self.unknown_makes[each] for each in makes if each in self.unknown_makes],
            kept_scan=lambda: kept_scan(self.folder),
            usual_meter=lambda country: ("netted", "none") if country == "DE" else None,
        )
