"""Serves the pages in the hub's event loop: one port, no access log, a clean shutdown."""

import asyncio
import errno
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from hub.web.server_log import use_own_words
from hub.web.serving.listening import bind_when_free, server_config
from hub.web.serving.log_rate import LogRate
from hub.web.serving.request_tally import RequestTally


class _Server(uvicorn.Server):
    """Leaves signals to the hub, which stops everything in the right order."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve_web(
    app: FastAPI,
    *,
    host: str,
    port: int,
    trust_proxy: bool,
    is_bound: Callable[[str], None],
    tally: RequestTally | None = None,
) -> None:
    """Serve until cancelled. `is_bound` receives the address. A port in use is logged once, and binding is retried."""
    listener = await _bind(host, port)
    bound_port = listener.getsockname()[1]
    use_own_words()
    server = _Server(server_config(app, trust_proxy=trust_proxy, tally=tally, timeout_graceful_shutdown=3))
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
    return await bind_when_free(
        lambda: socket.create_server((host, port), family=_family(host), backlog=256),
        problem=lambda error: f"cannot serve pages on {host} port {port}: {_advice(error)}",
    )


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
