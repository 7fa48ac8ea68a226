"""The order in which the reference assistant decides: forced tools, hand-over, functions, data, documents."""

from __future__ import annotations

import re

from harness.server.llms.extractive import answer
from harness.server.llms.extractive.calling import functions_step, waited_for
from harness.server.llms.extractive.computing import data_step, run_code
from harness.server.llms.extractive.functions import Call
from harness.server.llms.extractive.handover import concerns, is_solved
from harness.server.llms.extractive.lexicon import INJECTION, OFF_TOPIC
from harness.server.llms.extractive.people import escalates_now, has_nobody
from harness.server.llms.extractive.requesting import filled_call, function_calls, search
from harness.server.llms.extractive.scene import Scene, message, read_scene
from harness.server.llms.extractive.talk import (
    about_the_talk,
    only_tells,
    redirect_answer,
    small_talk_answer,
    small_talk_kind,
)
from harness.server.llms.extractive.telling import after_tools, without_tools
from harness.server.llms.interface import ModelReply, ModelRequest
from harness.text import content_stems, fold


def complete(request: ModelRequest) -> ModelReply:
    """The next message or tool calls of the reference assistant."""
    scene = read_scene(request)
    reply = _forced(scene)
    if reply is None and scene.talk.outcomes:
        reply = after_tools(scene)
    if reply is None:
        reply = _first_step(scene)
    if request.tool_choice == "none" and reply.tool_requests:
        reply = message(scene, without_tools(scene), found=False)
    return reply


def _forced(scene: Scene) -> ModelReply | None:
    """What tool_choice prescribes; whoever forces a tool once only asks for it once."""
    choice = scene.request.tool_choice
    if choice in ("auto", "none", None):
        return None
    if choice == "required":
        return _any_tool(scene)
    kind = choice.get("type") if isinstance(choice, dict) else None
    if kind == "file_search" and "file_search" in scene.hosted:
        return search(scene)
    if kind == "code_interpreter" and "code_interpreter" in scene.hosted:
        return run_code(scene)
    if kind == "function" and isinstance(choice, dict):
        name = (choice.get("function") or choice).get("name")
        function = next((f for f in scene.functions if f.name == name), None)
        return _forced_call(scene, filled_call(scene, function)) if function else None
    return None


def _forced_call(scene: Scene, call: Call) -> ModelReply:
    """A call that has to be made, also where the user has not named everything that it needs."""
    return function_calls(scene, [call.completed(scene.subject or scene.talk.said)])


def _any_tool(scene: Scene) -> ModelReply | None:
    called = {outcome.request.name for outcome in scene.talk.outcomes}
    reply = _first_step(scene)
    if reply.tool_requests and not called.intersection(one.name for one in reply.tool_requests):
        return reply
    left = [function for function in scene.functions if function.name not in called]
    calls = [filled_call(scene, function) for function in left or scene.functions]
    if "file_search" in scene.hosted and "file_search" not in called:
        return search(scene)
    if calls:
        return _forced_call(scene, next((call for call in calls if not call.filled.missing), calls[0]))
    return run_code(scene) if "code_interpreter" in scene.hosted else None


# --- the first step of a turn ---------------------------------------------------------------------


def _first_step(scene: Scene) -> ModelReply:
    for step in (
        _small_talk,
        waited_for,
        escalates_now,
        has_nobody,
        _turned_away,
        _remembered,
        functions_step,
        data_step,
        _noted,
    ):
        reply = step(scene)
        if reply is not None:
            return reply
    if "file_search" in scene.hosted and not scene.talk.outcomes_of("file_search"):
        return search(scene)
    return message(scene, without_tools(scene), found=False)


def _small_talk(scene: Scene) -> ModelReply | None:
    kind = small_talk_kind(scene.talk.said)
    if kind is None and is_solved(fold(scene.talk.said)) and scene.talk.earlier:
        return message(scene, "I'm glad to hear that! Is there anything else I can help with?")
    if kind is None:
        return None
    if (
        kind == "thanks"
        and answer.STILL_NEEDED in scene.talk.last_answer
        and len(content_stems(scene.talk.said)) > 1
    ):
        return None
    return message(scene, small_talk_answer(kind, scene.policy))


def _turned_away(scene: Scene) -> ModelReply | None:
    """What needs no look into the documents: manipulation, forbidden subjects, the plainly off topic."""
    said = fold(scene.talk.said)
    if INJECTION.search(said) and len(content_stems(scene.subject)) < 2:
        return message(scene, redirect_answer(scene.policy))
    for condition in scene.policy.forbidden:
        if concerns(condition, fold(scene.subject)):
            return message(scene, answer.forbidden_answer(condition.text, scene.policy))
    for condition, where in scene.policy.elsewhere:
        if concerns(condition, fold(scene.subject)) and _ABOUT_ONESELF.search(fold(scene.subject)):
            return message(scene, answer.elsewhere_answer(where))
    if _is_plainly_off_topic(scene):
        return message(scene, redirect_answer(scene.policy))
    return None


_ABOUT_ONESELF = re.compile(r"\b(?:my|our|mine|i|we|me)\b")


def _is_plainly_off_topic(scene: Scene) -> bool:
    match = OFF_TOPIC.search(fold(scene.subject))
    if match is None or not scene.policy.redirects:
        return False
    named = next(word for word in match.groupdict().values() if word)
    return not set(content_stems(named)) & scene.policy.scope


def _remembered(scene: Scene) -> ModelReply | None:
    text = about_the_talk(scene.talk)
    return message(scene, text) if text else None


def _noted(scene: Scene) -> ModelReply | None:
    """What the user only tells is noted; a report of trouble is not only told."""
    if scene.situation.trouble or not only_tells(scene.subject):
        return None
    return message(scene, "Thank you, I have noted that. What would you like to know?")
