"""Users that are simulated: by a function, or by a chat model that plays a person with a goal."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from harness.clock import Clock
from harness.cost.usage import Usage, from_api
from harness.errors import SettingsError, TargetError
from harness.targets.calling import called
from harness.trace.records import Message, Simulation

_BEGIN = "(The chat window is open. Write your first message.)"
_END = "DONE"
_PART = """\
You play a person who writes to a support chat. Stay in this part whatever the other side says.
{persona}What you want: {goal}
Write only your next message, as this person would type it: short, in plain words, one matter at a time.
Answer questions that you are asked; make up small details if you must, and keep to them.
When you have what you want, or it is clear that you will not get it, write {end} and nothing else."""


class Saying(msgspec.Struct, frozen=True):
    """What a simulated user says next; None when there is nothing more to say."""

    text: str | None
    model: str | None = None
    usage: Usage | None = None
    latency_s: float = 0.0

    def simulation(self, turn: int) -> Simulation:
        """As the trace keeps it, for the turn that it begins."""
        begun = None if self.text is None else turn
        return Simulation(turn=begun, model=self.model, usage=self.usage, latency_s=self.latency_s)


@dataclass(frozen=True)
class ChatUser:
    """A chat model that plays the user.

    Attributes:
        goal: What the user wants, in a sentence.
        model: The chat model.
        persona: Who the user is and how they write.
        base_url: Of a chat completions API, ending in /v1; ``OPENAI_BASE_URL`` when left out.
        api_key: For it; ``OPENAI_API_KEY`` when left out.
        temperature: Of the model; its own default when left out.
        seed: The same for every conversation; one of each conversation and repeat when left out.
    """

    goal: str
    model: str
    persona: str = ""
    base_url: str | None = None
    api_key: str | None = None
    temperature: float | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        for name in ("goal", "model"):
            if not getattr(self, name).strip():
                raise SettingsError(f"a ChatUser needs a {name}")

    def request(self, history: Sequence[Message], seed: int) -> dict[str, Any]:
        """The chat completion that asks for the next message: the roles are those of the other side."""
        persona = f"Who you are: {self.persona}\n" if self.persona else ""
        part = _PART.format(persona=persona, goal=self.goal, end=_END)
        roles = {"assistant": "user", "user": "assistant"}
        said = [{"role": roles[each.role], "content": each.text} for each in history]
        begin = [] if said and said[0]["role"] == "user" else [{"role": "user", "content": _BEGIN}]
        body = {
            "model": self.model,
            "messages": [{"role": "system", "content": part}, *begin, *said],
            "seed": seed if self.seed is None else self.seed,
        }
        return body if self.temperature is None else {**body, "temperature": self.temperature}

    async def next_message(self, history: Sequence[Message], seed: int, clock: Clock) -> Saying:
        """What the model says next.

        Raises:
            TargetError: The model can't be asked.
            SettingsError: No address is known.
        """
        from harness.targets.http import HttpWire

        wire = HttpWire(self._address())
        begun = clock.monotonic()
        try:
            completion = await wire.call("POST", "/chat/completions", self.request(history, seed))
        except TargetError as error:
            raise type(error)(
                f"the simulated user: {error.message}", code=error.code, hint=error.hint
            ) from error
        finally:
            await wire.close()
        return Saying(
            _said(completion),
            completion.get("model") or self.model,
            from_api(completion.get("usage")),
            clock.monotonic() - begun,
        )

    def _address(self) -> Any:
        from harness.targets.http import Address

        base_url = self.base_url or os.environ.get("OPENAI_BASE_URL")
        if not base_url:
            raise SettingsError(
                "a ChatUser needs the address of a chat completions API",
                hint="give base_url=..., or set OPENAI_BASE_URL",
            )
        return Address(base_url, self.api_key or os.environ.get("OPENAI_API_KEY") or "no-key")


def _said(completion: dict[str, Any]) -> str | None:
    choices = completion.get("choices") or [{}]
    text = str((choices[0].get("message") or {}).get("content") or "").strip()
    is_end = text.strip(".!\"'*` ").upper() == _END
    return None if is_end or not text else text


async def asked_user(
    user: Callable[..., Any] | ChatUser, history: Sequence[Message], seed: int, clock: Clock
) -> Saying:
    """What a simulated user says next.

    Raises:
        TypeError: A function gave something that is no text.
    """
    if isinstance(user, ChatUser):
        return await user.next_message(history, seed, clock)
    begun = clock.monotonic()
    text = await called(user, history)
    if text is not None and not isinstance(text, str):
        raise TypeError(f"a simulated user says text, or None to end, not {text!r}")
    return Saying(text or None, latency_s=clock.monotonic() - begun)
