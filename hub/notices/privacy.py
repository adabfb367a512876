"""The privacy notice for members as text, from the hub's settings, its rulebook and the catalogue of purposes; pure."""

from collections.abc import Iterable, Sequence

from hub.folder.settings import HubSettings
from protocols.consent.purposes import CATALOGUE, Basis, Purpose, Resolution

_FINENESS = {
    Resolution.PT15M: "at most per quarter hour",
    Resolution.PT1H: "at most per hour",
    Resolution.P1D: "at most per day",
    Resolution.NONE: "no energy values",
}


def privacy_notice(settings: HubSettings, *, method: str, contact: str) -> str:
    """The notice; `method` is that of the rule in force, `contact` whom members ask."""
    coop = settings.coop
    parts = [
        f"PRIVACY NOTICE of {coop.name}",
        f"Controller: {coop.name}. Questions and requests: {contact}.",
        "What is used for what\n" + _lines(_purpose(each) for each in CATALOGUE.values()),
        "Consent is given and withdrawn in your home, in the file consent.toml of your agent; what is not allowed there"
        " never leaves the home. Withdrawing it changes nothing about what the membership contract needs.",
        f"Sharing: the rule in force shares surplus by the method {method}; you can read the rulebook and recompute"
        " every amount. A finding about your readings is decided by a person of the board, and you can object.",
        "Who gets data\n" + _lines(_recipients(settings)),
        "How long\n" + _lines(_times(settings)),
        "Your rights: see all that is kept of you (pages My home, Statement, Who looked), take it along, have errors"
        " corrected, object, have data erased that no law or open account needs, and complain to the data protection"
        " authority of your country.",
    ]
    return "\n\n".join(parts) + "\n"


def _purpose(purpose: Purpose) -> str:
    basis = {
        Basis.CONTRACT: "needed for the membership contract, GDPR article 6 (1) b",
        Basis.INTEREST: "legitimate interest, article 6 (1) f",
        Basis.CONSENT: "only with your consent, article 6 (1) a",
    }[purpose.basis]
    return f"to {purpose.plain_words}: {_FINENESS[purpose.resolution]}; {basis}"


def _recipients(settings: HubSettings) -> Sequence[str]:
    found = [
        "other members: sums of at least five homes, never a single home",
        "the board: a member's values only by name and with a reason; you see each look",
    ]
    if settings.bank is not None:
        found.append("the co-op's bank: name, account and amount of payments")
    if settings.mail is not None:
        found.append("the mail server in the settings: your address, and texts without figures of your home")
    if settings.weather is not None:
        found.append("the weather service in the settings: the co-op's place, nothing of members")
    if settings.broker.kind == "external":
        found.append("whoever runs the broker: sizes and times of messages; the agents' messages can be read there")
    if settings.store is not None:
        found.append("whoever runs the database server: everything that the hub stores")
    if settings.backup is not None:
        found.append("the place of the backups: sealed files that only the co-op's key opens")
    return found


def _times(settings: HubSettings) -> Sequence[str]:
    months = settings.retention_months
    erased = (
        "no time is set after which the data of those who moved out are erased"
        if months is None
        else f"readings, name, address and bank details: until {months} months after you move out and all is paid"
    )
    found = [
        erased,
        "the ledger: kept, under a number in place of your name",
        "in your home: until the hub has signed for it, and as long after that as your agent's settings say",
    ]
    if settings.store is not None and settings.store.backup:
        found.append(f"backups of the database server: {settings.store.backup}")
    if (backup := settings.backup) is not None:
        found.append(f"backups: {backup.daily} days, {backup.weekly} weeks and {backup.monthly} months of them")
    return found


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
