"""What a member does on the hub's pages, over HTTP as a browser would: sign in, enter appliances, answer prompts.

Blocking, for use in a thread. Decides nothing; `residents` does.
"""

import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from protocols.errors import CommonwattError
from simulator.world.appliances import SimulatedAppliance

TIMEOUT_S = 20.0
MAX_ANSWER_BYTES = 1024 * 1024


class MemberRequestError(CommonwattError):
    """The hub did not let the member do this; one line with the action and the status."""


class MemberRefusedError(MemberRequestError):
    """The hub understood and refused: asking again would not help."""


@dataclass(frozen=True, slots=True)
class OfferedPrompt:
    """A prompt that waits for an answer. Slots count quarter hours since 1970."""

    id: str
    appliance: str
    usual_slot: int
    proposed_slot: int
    energy_wh: int


def appliance_entry(appliance: SimulatedAppliance) -> dict[str, object]:
    """An appliance in the hub's form."""
    return {
        "kind": appliance.kind,
        "energy_wh": appliance.typical_wh,
        "duration_slots": -(-len(appliance.typical_watts) // 3),
        "usual_slot_of_day": appliance.usual_s // 900,
        "earliest_slot_of_day": 0 if appliance.kind == "ev" else 28,
        "latest_slot_of_day": 95 if appliance.kind == "ev" else 88,
        "is_asked": True,
    }


class MemberClient:
    """One signed-in member. `link` is the one-time address; `sign_in` uses it up and it is never shown."""

    def __init__(self, link: str) -> None:
        parts = urlsplit(link)
        if parts.scheme != "http" or not parts.hostname or not parts.path.startswith("/sign-in/"):
            raise ValueError("a sign-in link looks like http://127.0.0.1:8400/sign-in/...")
        self._host = parts.netloc
        self._path = parts.path
        self._cookie: str | None = None

    def sign_in(self) -> None:
        """Turn the link into a session. Raises: MemberRequestError."""
        answer, _ = self._exchange("POST", self._path, body="", kind="application/x-www-form-urlencoded")
        cookie = answer.getheader("Set-Cookie", "")
        if answer.status != 303 or "=" not in cookie:
            raise MemberRequestError(f"sign-in was answered with {answer.status}")
        self._cookie = cookie.split(";", 1)[0]

    def enter_appliances(self, appliances: tuple[SimulatedAppliance, ...]) -> None:
        """Enter what could run at another time. Raises: MemberRequestError."""
        body = json.dumps([appliance_entry(each) for each in appliances])
        answer, _ = self._exchange("POST", "/my-home/appliances", body=body, kind="application/json")
        if answer.status not in (200, 204, 303):
            raise MemberRequestError(f"appliances were answered with {answer.status}")

    def open_prompts(self) -> tuple[OfferedPrompt, ...]:
        """The prompts without an answer, nearest usual time first. Raises: MemberRequestError."""
        answer, body = self._exchange("GET", "/prompts.json")
        if answer.status != 200:
            raise MemberRequestError(f"prompts were answered with {answer.status}")
        try:
            waiting = [_prompt(entry) for entry in json.loads(body)["open"]]
        except (ValueError, KeyError, TypeError):
            raise MemberRequestError("prompts.json is not what a hub answers: is this its address?") from None
        return tuple(sorted(waiting, key=lambda prompt: (prompt.usual_slot, prompt.appliance, prompt.id)))

    def answer(self, prompt_id: str, choice: str) -> None:
        """Send the prompt's form. Raises: MemberRequestError."""
        form = urlencode({"answer": choice})
        kind = "application/x-www-form-urlencoded"
        answer, _ = self._exchange("POST", f"/prompts/{prompt_id}", body=form, kind=kind)
        if 400 <= answer.status < 500:
            raise MemberRefusedError(f"the answer to a prompt was refused with {answer.status}")
        if answer.status != 303:
            raise MemberRequestError(f"the answer to a prompt was answered with {answer.status}")

    def _exchange(
        self, method: str, path: str, *, body: str | None = None, kind: str = ""
    ) -> tuple[http.client.HTTPResponse, bytes]:
        headers = {"Host": self._host}
        if self._cookie:
            headers["Cookie"] = self._cookie
        if body is not None:
            headers |= {"Origin": f"http://{self._host}", "Content-Type": kind}
        connection = http.client.HTTPConnection(self._host, timeout=TIMEOUT_S)
        try:
            connection.request(method, path, body=body, headers=headers)
            answer = connection.getresponse()
            content = answer.read(MAX_ANSWER_BYTES + 1)
        except (OSError, http.client.HTTPException) as problem:
            why = getattr(problem, "strerror", None) or "it answered something else, or too late"
            raise MemberRequestError(f"the hub cannot be reached: {why}") from None
        finally:
            connection.close()
        if len(content) > MAX_ANSWER_BYTES:
            raise MemberRequestError(f"the answer is over {MAX_ANSWER_BYTES} bytes")
        return answer, content


def _prompt(entry: dict[str, Any]) -> OfferedPrompt:
    return OfferedPrompt(
        str(entry["id"]),
        str(entry["appliance"]),
        int(entry["usual_slot"]),
        int(entry["proposed_slot"]),
        int(entry["energy_wh"]),
    )
