"""A person at a pseudo-terminal: answers each question of a program once it is asked, and counts what they type."""

import asyncio
import os
import re
import sys
import tty
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
CHARS_A_SECOND = 2
TERMINAL_CODES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class Person:
    """Runs a program on a pty. `typed_chars` counts keystrokes with Enter, `pasted_chars` what was only pasted."""

    def __init__(self) -> None:
        self.seen = ""
        self.typed_chars = 0
        self.pasted_chars = 0
        self._at = 0
        self._master = -1
        self._arrived = asyncio.Event()
        self.process: asyncio.subprocess.Process | None = None

    async def start(self, *arguments: str) -> None:
        self._master, near = os.openpty()
        tty.setraw(near)
        os.set_blocking(self._master, False)
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "edge_agent", *arguments), stdin=near, stdout=near, stderr=near, cwd=ROOT
        )
        os.close(near)
        asyncio.get_running_loop().add_reader(self._master, self._read)

    def _read(self) -> None:
        try:
            part = os.read(self._master, 65536)
        except OSError:
            asyncio.get_running_loop().remove_reader(self._master)
        else:
            self.seen += TERMINAL_CODES.sub("", part.decode(errors="replace"))
        self._arrived.set()

    async def until(self, words: str) -> str:
        """Wait until these words appear behind what was seen before; returns what came before them."""
        async with asyncio.timeout(240):
            while (found := self.seen.find(words, self._at)) < 0:
                self._arrived.clear()
                if self.process is not None and self.process.returncode is not None:
                    raise AssertionError(f"it ended without {words!r}:\n{self.seen[self._at :]}")
                await self._arrived.wait()
        before, self._at = self.seen[self._at : found], found + len(words)
        return before

    async def answer(self, question: str, text: str, *, pasted: bool = False) -> str:
        """Wait for a question, then type (or paste) and press Enter; returns what was shown before the question."""
        before = await self.until(question)
        if pasted:
            self.pasted_chars += len(text)
            self.typed_chars += 1
        else:
            self.typed_chars += len(text) + 1
        os.write(self._master, f"{text}\n".encode())
        return before

    async def converse(self, replies: Mapping[str, str], *, until: str) -> None:
        """Answer each question that comes, by the words it has, until these words appear."""
        async with asyncio.timeout(240):
            while True:
                rest = self.seen[self._at :]
                asked = [(place, words) for words in replies if (place := rest.find(words)) >= 0]
                end = rest.find(until)
                if asked and (end < 0 or min(asked)[0] < end):
                    words = min(asked)[1]
                    await self.answer(words, replies[words])
                elif end >= 0:
                    self._at += end + len(until)
                    return
                else:
                    assert self.process is not None
                    assert self.process.returncode is None, f"it ended without {until!r}:\n{rest}"
                    self._arrived.clear()
                    await self._arrived.wait()

    async def ended(self) -> int:
        """The exit status."""
        assert self.process is not None
        async with asyncio.timeout(120):
            status = await self.process.wait()
        self._read()
        return status

    async def leave(self) -> None:
        """Close the terminal, as when somebody walks away."""
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()
        if self._master >= 0:
            asyncio.get_running_loop().remove_reader(self._master)
            os.close(self._master)
            self._master = -1

    @property
    def typing_s(self) -> float:
        """How long the typing takes."""
        return self.typed_chars / CHARS_A_SECOND
