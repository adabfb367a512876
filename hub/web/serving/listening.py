"""What both web servers of a hub have in common: uvicorn's settings, and waiting for a port that is in use."""

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Any, Final

import uvicorn
from starlette.applications import Starlette

from hub.web.serving.connections import LimitedProtocol
from hub.web.serving.request_tally import RequestTally
from hub.web.serving.turns import Turns

log = logging.getLogger(__name__)

RETRY_FIRST_S: Final = 0.5
RETRY_MOST_S: Final = 30.0


def server_config(
    app: Starlette, *, trust_proxy: bool = False, tally: RequestTally | None = None, **more: Any
) -> uvicorn.Config:
    """Limited connections that take turns. Addresses can contain a sign-in link, so there is no access log."""
    return uvicorn.Config(
        Turns(app) if tally is None else tally.counting(Turns(app, refused=tally.note_turned_away)),
        http=LimitedProtocol,
        ws="none",
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        proxy_headers=trust_proxy,
        **more,
    )


async def bind_when_free(bind: Callable[[], socket.socket], *, problem: Callable[[OSError], str]) -> socket.socket:
    """The socket, as soon as it can be bound. What is in the way is logged once, in the words of `problem`."""
    pause_s, is_logged = RETRY_FIRST_S, False
    while True:
        try:
            return bind()
        except OSError as error:
            if not is_logged:
                log.error("%s", problem(error))
                is_logged = True
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, RETRY_MOST_S)
