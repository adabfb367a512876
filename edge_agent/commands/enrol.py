"""`enrol` and `hub-key`: this home's place with the co-op's hub."""

from __future__ import annotations

import argparse
import codecs
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.commands.arguments import add_command
from edge_agent.commands.wanted_consent import wanted_consent
from edge_agent.settings import Settings, read_settings
from protocols.errors import RequestError

if TYPE_CHECKING:
    from edge_agent.commands.arguments import Commands
    from edge_agent.uplink.identity import Identity

TOKEN_MAX_BYTES = 1024


def add(commands: Commands) -> None:
    """Name the two commands and their arguments."""
    words = "enrol this home with the co-op's hub, using a one-time token"
    parser = add_command(commands, "enrol", run=_enrol, words=words)
    parser.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help="file with the token or the QR code's text (default: standard input)",
    )
    parser.add_argument("--coop", metavar="ID", help="the co-op's id (default: hub.coop in the configuration)")
    words = "print the hub's public key, as the statement's page shows it"
    add_command(commands, "hub-key", run=_hub_key, words=words)


def _enrol(options: argparse.Namespace) -> int:
    from edge_agent.uplink.identity import hub_key_words

    settings = read_settings(options.config)
    had_consent = settings.consent is not None and settings.consent.exists()
    answer = enrol_home(settings, lambda: _token(options.token_file), coop=options.coop).enrolment
    print(f"enrolled as {answer.agent} for home {answer.home} of co-op {answer.coop}")
    print(f"the hub proved that it holds the key named in the token: {hub_key_words(answer)}")
    if settings.consent is not None and not had_consent:
        print(f"what may leave the home is listed in {settings.consent}")
    return 0


def enrol_home(settings: Settings, invitation: Callable[[], str], *, coop: str | None) -> Identity:
    """Enrol with a token or an invitation, and leave the consent file. Raises: CommonwattError with one line."""
    from edge_agent.devices.assembly import make_fleet
    from edge_agent.setup.enrolment import enrol, find_root, require_new
    from edge_agent.setup.hub_site import fetch_root_document, is_secure, post_to
    from edge_agent.setup.invitation import read_given
    from edge_agent.uplink.consent_file import consent_draft

    # Before the token is used: what `run` would refuse must not cost it.
    make_fleet(settings)
    if settings.consent is not None and settings.consent.exists():
        wanted_consent(settings, None)
    given = read_given(invitation(), settings, coop=coop)
    hub_url, coop, token = given.hub_url, given.coop, given.token
    with consent_draft(settings.consent) as draft:
        require_new(settings.data)
        fetch = partial(fetch_root_document, hub_url)
        root = find_root(token, coop=coop, fetch=fetch) if is_secure(hub_url) else ""
        identity = enrol(settings.data, token, coop=coop, post=post_to(hub_url, root=root), root=root)
        draft.write(identity.consent)
    return identity


def _hub_key(options: argparse.Namespace) -> int:
    from edge_agent.uplink.identity import hub_key_words, load_enrolment

    print(hub_key_words(load_enrolment(read_settings(options.config).data)))
    return 0


def _token(path: Path | None) -> str:
    try:
        if path is None:
            if sys.stdin.isatty():
                print("the token or the invitation from the co-op's board: ", end="", file=sys.stderr, flush=True)
            return sys.stdin.readline(TOKEN_MAX_BYTES).removeprefix("\ufeff").strip()
        # Editors of some systems begin a file with a byte-order mark.
        return path.read_bytes()[:TOKEN_MAX_BYTES].removeprefix(codecs.BOM_UTF8).decode("ascii").strip()
    except (OSError, UnicodeDecodeError) as cause:
        reason = cause.strerror if isinstance(cause, OSError) else "not plain letters and digits"
        raise RequestError(f"{path or 'standard input'}: cannot read the token: {reason}") from None
