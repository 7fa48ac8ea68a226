"""Everything that one completion of the reference assistant decides from, and its message."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from harness.server.llms.extractive import answer
from harness.server.llms.extractive.ellipsis import expanded
from harness.server.llms.extractive.functions import Function, functions_of
from harness.server.llms.extractive.handover import Situation, read_situation, without_refusal
from harness.server.llms.extractive.lexicon import INJECTION
from harness.server.llms.extractive.policy import Policy, read_policy
from harness.server.llms.extractive.talk import Talk, read_talk, without_greeting
from harness.server.llms.interface import ModelReply, ModelRequest
from harness.text import content_stems, fold, sentences


class Scene(msgspec.Struct, frozen=True):
    """Everything one completion decides from."""

    request: ModelRequest
    policy: Policy
    talk: Talk
    subject: str
    situation: Situation
    functions: tuple[Function, ...]
    hosted: frozenset[str]
    expanded: bool

    @property
    def handover_function(self) -> Function | None:
        """The function that brings people in, if there is one: by what it is, or by the instructions."""
        named = [function for function in self.functions if function.name in self.policy.calls]
        return next((function for function in (*named, *self.functions) if self._brings_in(function)), None)

    def _brings_in(self, function: Function) -> bool:
        """Whether a function belongs to this hand-over; one with another job, if it is about that."""
        if function.name not in self.policy.calls:
            return function.hands_over
        if self.policy.calls == {function.name} and not function.reads and self.situation.escalation:
            return True
        about = set(content_stems(f"{function.description} {' '.join(function.name_words)}"))
        said = set(content_stems(" ".join(self.talk.user_texts[-2:])))
        return function.hands_over or (self.situation.reason in ("condition", "") and bool(about & said))


def read_scene(request: ModelRequest) -> Scene:
    """What a request holds, read once for all steps."""
    policy = read_policy(request.instructions or "")
    talk = read_talk(request)
    hosted = frozenset(str(tool.get("type")) for tool in request.tools if tool.get("type") != "function")
    names = frozenset(content_stems(f"{policy.company or ''} {policy.name or ''}"))
    whole = expanded(talk.said, [turn.user for turn in talk.earlier if turn.user], names)
    if whole is not None:
        talk = replace(talk, said=whole)
    subject = without_greeting(without_refusal(_without_injection(talk.said), policy.roles))
    functions = functions_of(request.tools)
    return Scene(
        request, policy, talk, subject, read_situation(talk, policy), functions, hosted, whole is not None
    )


def _without_injection(said: str) -> str:
    """The message without sentences that try to change or read the instructions."""
    if not INJECTION.search(fold(said)):
        return said
    return " ".join(span.text for span in sentences(said) if not INJECTION.search(fold(span.text)))


def message(scene: Scene, text: str, *, escalated: bool = False, found: bool = True) -> ModelReply:
    """A final message, dressed as the instructions want it, in the wanted response format."""
    wanted = scene.request.response_format
    if isinstance(wanted, dict) and wanted.get("type") in ("json_object", "json_schema"):
        sources = list(
            dict.fromkeys(hit.filename for hit in scene.talk.hits if hit.marker and hit.marker in text)
        )
        return ModelReply(answer.as_json(text, wanted, escalated=escalated, found=found, sources=sources))
    return ModelReply(answer.dressed(text, scene.policy))
