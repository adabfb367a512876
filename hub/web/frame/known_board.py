"""The sessions of board members that this process has seen lately: they see the Health page while the store is away.

Nothing else is shown by it. The Health page names nobody and has no home's values.
"""

from typing import Final

from hub.web.frame.translation import Localizer

KEPT_S: Final = 86_400
MOST: Final = 100


class KnownBoard:
    """The sessions by the hash of their token, each with its member's language and when it was last seen (unix s)."""

    def __init__(self) -> None:
        self._seen: dict[bytes, tuple[Localizer, float]] = {}

    def note(self, session: bytes, words: Localizer, *, is_board: bool, now_s: float) -> None:
        """The store has just named the member of this session: whoever is on the board is known for a day."""
        self.forget(session)
        if is_board:
            self._seen[session] = (words, now_s)
            while len(self._seen) > MOST:
                del self._seen[next(iter(self._seen))]

    def forget(self, session: bytes) -> None:
        """The session was ended."""
        self._seen.pop(session, None)

    def words(self, session: bytes, *, now_s: float) -> Localizer | None:
        """The language of the board member whose session this is; None if it was not seen within a day."""
        words, seen_s = self._seen.get(session, (None, 0.0))
        return words if 0 <= now_s - seen_s < KEPT_S else None
