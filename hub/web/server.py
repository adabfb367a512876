"""Serves the pages in the hub's event loop: one port, no access log, a clean shutdown."""

import asyncio
import errno
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import uvicorn
from fastapi import FastAPI

from hub.web.server_log import use_own_words
from hub.web.serving.connections import LimitedProtocol
from hub.web.serving.log_rate import LogRate
from hub.web.serving.turns import Turns

log = logging.getLogger(__name__)

RETRY_FIRST_S: Final = 0.5
RETRY_MOST_S: Final = 30.0


class _Server(uvicorn.Server):
    """Leaves signals to the hub, which stops everything in the right order."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve_web(app: FastAPI, *, host: str, port: int, trust_proxy: bool, is_bound: Callable[[str], None]) -> None:
    """Serve until cancelled. `is_bound` receives the address. A port in use is logged once, and binding is retried."""
    listener = await _bind(host, port)
    bound_port = listener.getsockname()[1]
    use_own_words()
    # Addresses can contain a sign-in link, so there is no access log.
    config = uvicorn.Config(
        Turns(app),
        http=LimitedProtocol,
        ws="none",
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        proxy_headers=trust_proxy,
        timeout_graceful_shutdown=3,
    )
    server = _Server(config)
    rate = LogRate()
    server_log = logging.getLogger("uvicorn.error")
    server_log.addFilter(rate)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    is_bound(f"http://{_in_address(host)}:{bound_port}")
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        server.should_exit = True
        await serving
        raise
    finally:
        server_log.removeFilter(rate)
        listener.close()


async def _bind(host: str, port: int) -> socket.socket:
    pause_s, is_logged = RETRY_FIRST_S, False
    while True:
        try:
            return socket.create_server((host, port), family=_family(host), backlog=256)
        except OSError as error:
            if not is_logged:
                log.error("cannot serve pages on %s port %d: %s", host, port, _advice(error))
                is_logged = True
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, RETRY_MOST_S)


def _advice(error: OSError) -> str:
    """What is wrong and what to do, in one line."""
    if error.errno == errno.EADDRINUSE:
        what = "another program uses it: stop that program or choose another port with --web-port; will keep trying"
    elif error.errno == errno.EACCES:
        what = "this user may not use a port below 1024: choose a higher one; will keep trying"
    else:
        what = "web.host in hub.toml is not an address of this computer: correct it; will keep trying"
    return what


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _in_address(host: str) -> str:
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104 - compared, not bound
    return f"[{shown}]" if ":" in shown else shown
