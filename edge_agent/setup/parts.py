"""What set-up needs from outside, handed in: the search, reading, files, pairing. A page hands in the same."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from edge_agent.finding.broker_listening import HeardValue
from edge_agent.finding.kept_scan import KeptScan
from edge_agent.finding.search import FoundDevice, SearchPlan, Tell
from edge_agent.finding.serial_ports import is_serial_device
from edge_agent.settings import Endpoint
from edge_agent.setup.live import LiveRole
from edge_agent.setup.progress import DeviceChoice
from protocols.consent.rules import ConsentSet

Find = Callable[[SearchPlan, Tell], Awaitable[list[FoundDevice]]]
HearValues = Callable[[Endpoint, Mapping[str, Any]], Awaitable[Sequence[HeardValue]]]
ReadLive = Callable[[Sequence[DeviceChoice]], Awaitable[tuple[list[LiveRole], list[str]]]]


@dataclass(frozen=True, slots=True)
class PairedHome:
    """The home as the co-op's hub knows it."""

    agent: str
    home: str
    coop: str


@dataclass(frozen=True, slots=True)
class ReceiptCount:
    """How far the first messages are: whether an agent runs, how many it made, and how many have their receipt."""

    is_running: bool
    messages: int
    receipted: int


@dataclass(frozen=True, slots=True)
class SetupParts:
    """`config` is agent.toml. `pair` takes an invitation, uses it, and raises a one-line error if it cannot."""

    config: Path
    find: Find
    read: ReadLive
    networks: Callable[[], list[IPv4Network]]
    serial_ports: Callable[[], list[Path]]
    paired: Callable[[], PairedHome | None]
    pair: Callable[[str], Awaitable[PairedHome]]
    consent: Callable[[], ConsentSet]
    write_consent: Callable[[ConsentSet], None]
    receipts: Callable[[], ReceiptCount]
    now: Callable[[], float]
    pause: Callable[[float], Awaitable[None]]
    start_hint: str = "sudo systemctl start commonwatt-agent"
    stop_hint: str = "sudo systemctl stop commonwatt-agent"
    restart_hint: str = "sudo systemctl restart commonwatt-agent"
    setup_hint: str = "commonwatt-agent setup"
    """What the person types to go on, with `--config` where it is needed."""

    usual_meter: Callable[[str], tuple[str, str] | None] = lambda _country: None
    """The usual phases and netting of a country's legal meters, if they are known."""
    start: Callable[[], Awaitable[None]] | None = None
    """Starts the agent where set-up does that itself; otherwise the person does, with `start_hint`."""

    may_name_files: bool = True
    """Whether the person may name a file of this computer for the invitation to be read from."""

    is_serial_device: Callable[[str], bool] = is_serial_device
    unknown_makes: Callable[[Sequence[str]], Sequence[str]] = lambda _makes: ()
    """A line for each make that no known family is of."""

    page_here: str = "127.0.0.1:8087"
    page_wide: str = "0.0.0.0:8087"
    """Where the home's page may be served: for this computer only, and for the home network too."""

    is_page_wide: bool = False
    """Whether set-up itself is asked in the home network: its page then stays where it was."""

    kept_scan: Callable[[], KeptScan | None] = lambda: None
    """What an earlier `scan --save` found."""

    hear_values: HearValues | None = None
    """Listens for a moment at the home's broker; without it, topics are typed."""
