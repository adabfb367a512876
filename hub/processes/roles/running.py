"""Runs one process of a hub with one role, beside others: it starts no broker, and shares folder, store and brokers."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from hub.folder.clock import open_clock
from hub.folder.opening import open_hub
from hub.folder.paths import numbered, running_with_others
from hub.folder.settings import HubSettings, load_settings
from hub.folder.watching.log_settings import JSON
from hub.health.log_lines import use_log
from hub.processes.roles.names import ROLES, refuse_alone
from hub.processes.roles.waiting import opened_when_there
from hub.processes.running import Hub, log
from protocols.errors import RequestError


async def run_role(
    folder: Path, role: str, *, clock_file: Path | None, web_port: int | None, announce: Callable[[str], None]
) -> None:
    """Serve until SIGTERM or Ctrl-C. Raises: CommonwattError, with a one-line message, if it cannot start."""
    settings = load_settings(folder)
    refuse_alone(settings)
    clock = open_clock(clock_file)
    with running_with_others(folder) as lock, numbered(folder, role) as number:
        if role == "web" and number > 1:
            raise RequestError(
                f"{folder}: a process with --role web runs on this folder and has its ports: stop it first, or run a"
                " second one from a copy of it with other ports in hub.toml (commonwatt-hub roles files)"
            )
        # Opened here first: what is wrong with it is said once, and a server that is away is waited for.
        opening = partial(open_hub, folder, clock=clock, takes_rule=False)
        _, _, store = await opened_when_there(opening, say=announce)
        await store.close()
        warning = await _warning(settings, say=announce)
        log_form = settings.watch.log
        use_log(role, is_json=log_form.form == JSON, has_trail=log_form.trail)
        if log_form.form == JSON:
            announce = partial(log.info, "%s")
        hub = Hub(folder, settings, lock=lock, clock_file=clock_file, role=ROLES[role], number=number)
        await hub.serve(web_port=web_port, broker_port=None, announce=announce, warnings=(warning,))


async def _warning(settings: HubSettings, *, say: Callable[[str], None]) -> str | None:
    """What the board should know of the server; one that went away meanwhile is waited for."""
    from hub.folder.elsewhere.server_store import what_a_failover_loses  # noqa: PLC0415 - needs the extra postgres

    assert settings.store is not None, "a role needs a server"
    return await opened_when_there(partial(what_a_failover_loses, settings.store), say=say)
