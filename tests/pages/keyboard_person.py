"""A person who sets a home up in a browser by keyboard alone, and how many keys that takes."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from playwright.async_api import Error, Page

MOST_TABS = 30
MOST_S = 120
SHOWN = """() => {
    const field = document.querySelector("input[name=number]");
    return field && {number: field.value, hasFocus: document.activeElement !== document.body};
}"""
IS_BEFORE = """words => {
    const found = [...document.querySelectorAll("button, a")].find(each => each.innerText.includes(words));
    return found && found.compareDocumentPosition(document.activeElement) & Node.DOCUMENT_POSITION_FOLLOWING;
}"""
FOCUSED = """() => {
    const found = document.activeElement;
    const isWhole = found === document.body || found.tagName === "FIELDSET";
    return isWhole ? "" : found.closest("label")?.innerText ?? found.innerText;
}"""


class KeyboardPerson:
    """Answers what the page asks. `typed_chars` counts every key, `pasted_chars` what was only pasted."""

    def __init__(self, page: Page, screenshots: Path) -> None:
        self.page = page
        self.typed_chars = 0
        self.pasted_chars = 0
        self.seen: list[str] = []
        self._screenshots = screenshots
        self._number = ""

    async def key(self, name: str) -> None:
        self.typed_chars += 1
        await self.page.keyboard.press(name)

    async def question(self) -> str:
        """Wait for a question that was not answered yet; its words."""
        async with asyncio.timeout(MOST_S):
            while True:
                found = await self._evaluate(SHOWN)
                # Keys pressed before the browser has put the focus go nowhere.
                if found is not None and found["number"] != self._number and found["hasFocus"]:
                    self._number = found["number"]
                    self.seen.append(await self.page.inner_text("main"))
                    return await self.page.locator("legend, label[for=answer], .alert").last.inner_text()
                await asyncio.sleep(0.05)  # the page looks again by itself; nothing else tells

    async def _evaluate(self, script: str, argument: str = "") -> Any:
        """What the script gives; None while the browser goes from one page to the next."""
        try:
            return await self.page.evaluate(script, argument)
        except Error as trouble:
            if "Execution context was destroyed" not in str(trouble):
                raise
            return None

    async def choose(self, words: str) -> None:
        """Go to the button with these words, on the shorter way, and press it."""
        way = "Shift+Tab" if await self._evaluate(IS_BEFORE, words) else "Tab"
        for _ in range(MOST_TABS):
            if words in (await self._evaluate(FOCUSED) or ""):
                return await self.key("Enter")
            await self.key(way)
        raise AssertionError(f"no key leads to {words!r}:\n{await self.page.inner_text('main')}")

    async def type(self, text: str) -> None:
        """Replace what stands in the field, and go on; nothing typed takes what stands there."""
        self.typed_chars += len(text)
        if text:
            await self.page.keyboard.type(text)
        await self.key("Enter")

    async def paste(self, text: str) -> None:
        self.pasted_chars += len(text)
        await self.page.keyboard.insert_text(text)
        await self.key("Enter")

    async def look(self, name: str) -> None:
        """A picture of the page as it is."""
        await self.page.screenshot(path=str(self._screenshots / f"setup-{name}.png"), full_page=True)

    async def converse(self, replies: Mapping[str, str], *, until: str) -> str:
        """Answer each question by the words it has, until one has these words; returns that one.

        A reply to a question with buttons is what the button says; an empty one is the usual or else the first answer.
        """
        async with asyncio.timeout(MOST_S):
            while until not in (asked := await self.question()):
                found = [reply for words, reply in replies.items() if words in asked]
                assert found, f"nobody expected {asked!r}"
                await self.look(f"{self._number}")
                if await self.page.locator("#answer").count():
                    await self.type(found[0])
                elif found[0]:
                    await self.choose(found[0])
                else:
                    if await self._evaluate("document.activeElement.tagName") == "FIELDSET":
                        await self.key("Tab")
                    await self.key("Enter")
            return asked
