"""Invitations: what the board's pages ask for and show once, and why the store refuses one; no SQL and no I/O here."""

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from hub.storage.records import Home, Member


@dataclass(frozen=True, slots=True)
class AskedInvitation:
    """What a board member asks for on a page, one of three things.

    A new member with `name` and `email`, in a home that may follow another one; an agent for the known `home`, which
    takes over from the agent `replaces` if one is named, or with `is_further` works beside those it has; or another
    home, with `home_name`, `for_member`.
    """

    name: str = ""
    email: str = ""
    home_name: str = ""
    since: date | None = None
    follows: str = ""
    home: str = ""
    replaces: str = ""
    is_further: bool = False
    for_member: str = ""
    is_mailed: bool = False


@dataclass(frozen=True, slots=True)
class InstallWords:
    """The line that installs the agent on a kind of computer, and the SHA-256 that the line checks."""

    architecture: str
    command: str
    sha256: str


@dataclass(frozen=True, slots=True)
class MadeInvitation:
    """An invitation as it is shown once. `whole` holds the hub's address too, with its QR code `picture` as SVG; both
    are empty where no agent could reach the hub with it.
    """

    member: Member
    home: Home
    token: str = field(repr=False)
    whole: str = field(default="", repr=False)
    picture: str = field(default="", repr=False)
    install: tuple[InstallWords, ...] = ()


class InviteRefusal(StrEnum):
    """Why an invitation does not enrol an agent, as one sentence."""

    UNKNOWN = "the invitation is unknown: was the token copied completely?"
    USED = "the invitation was already used by another agent: ask the board for a new one"
    EXPIRED = "the invitation has expired: ask the board for a new one"
    VOID = "a newer invitation for this home was made, so this one is void: use the newer token"
    KNOWN_KEY = "this agent's key is already enrolled; make a new key on the agent"
    HAS_AGENT = (
        "the home has an agent, and this invitation does not replace it:"
        " ask the board for one that does (commonwatt-hub invite --replace)"
    )
