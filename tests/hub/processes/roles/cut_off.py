"""A way between a worker and a server that a test can cut: what is on its way then waits, or the connections break."""

import asyncio
from contextlib import suppress
from pathlib import Path

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Way:
    """Listens on a free port or a socket and passes everything on, unless it is cut."""

    def __init__(self, to: tuple[str, int] | Path) -> None:
        self._to = to
        self._whole = asyncio.Event()
        self._whole.set()
        self._refuses = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def open(self, socket: Path | None = None) -> int:
        """Listen on this socket, or on a port, which is returned."""
        if socket is not None:
            self._server = await asyncio.start_unix_server(self._serve, socket)
            return 0
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    def cut(self, *, breaks: bool) -> None:
        """Nothing passes from now on. With `breaks` connections end and new ones are refused; else all is silent."""
        self._whole.clear()
        self._refuses = breaks
        if breaks:
            for writer in self._writers:
                writer.transport.abort()

    def mend(self) -> None:
        """Everything passes again, what waited first."""
        self._refuses = False
        self._whole.set()

    async def close(self) -> None:
        """End every connection."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if self._refuses:
            writer.transport.abort()
            return
        try:
            await self._whole.wait()
            there, back = await self._connected()
        except (OSError, asyncio.CancelledError):
            writer.transport.abort()
            return
        self._writers |= {writer, back}
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass_on(reader, back))
                group.create_task(self._pass_on(there, writer))
        except* OSError:
            pass  # one side has gone: the other one hears of it below
        finally:
            self._writers -= {writer, back}
            for each in (writer, back):
                each.transport.abort()

    async def _connected(self) -> Ends:
        if isinstance(self._to, Path):
            return await asyncio.open_unix_connection(self._to)
        return await asyncio.open_connection(*self._to)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while read := await reader.read(65536):
            await self._whole.wait()
            writer.write(read)
            await writer.drain()
        with suppress(OSError, RuntimeError):
            writer.write_eof()
