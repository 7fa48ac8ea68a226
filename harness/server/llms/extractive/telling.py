"""What the reference assistant says once tools have answered, or without any."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.server.llms.extractive import answer, tables
from harness.server.llms.extractive.analysis_code import LOOKED
from harness.server.llms.extractive.computing import run_code
from harness.server.llms.extractive.evidence import Evidence, weigh
from harness.server.llms.extractive.functions import report, separate_question
from harness.server.llms.extractive.handover import wishes_a_person
from harness.server.llms.extractive.people import CONTACT, hand_over, problem_escalation
from harness.server.llms.extractive.question import read_question, term_stems
from harness.server.llms.extractive.requesting import Asked, asked_in, search, tool_requests
from harness.server.llms.extractive.scene import Scene, message
from harness.server.llms.extractive.talk import Outcome, context_of, is_follow_up, redirect_answer
from harness.server.llms.interface import ModelReply
from harness.text import content_stems, fold


def after_tools(scene: Scene) -> ModelReply:
    """The next step once tools have answered: another tool when one is still wanted, else the message."""
    talk = scene.talk
    called, ran = talk.outcomes_of("function"), talk.outcomes_of("code_interpreter")
    searched = talk.outcomes_of("file_search")
    if ran and not called:
        return _after_code(scene, ran)
    if called:
        return _after_functions(scene, called, searched)
    return _from_documents(scene)


def _after_code(scene: Scene, ran: Sequence[Outcome]) -> ModelReply:
    last = ran[-1]
    output = last.output.content if last.output else ""
    failed = answer.code_failed(output)
    if output.startswith(LOOKED) and len(ran) == 1 and not failed:
        head = output.partition("\n")[2]
        if tables.table_of(scene.request.files[-1], head).columns and scene.request.files:
            return run_code(scene, head)
    image = any(is_image for outcome in ran if outcome.output for _, _, is_image in outcome.output.files)
    return message(scene, answer.findings(output, image=image, failed=failed), found=not failed)


def _after_functions(scene: Scene, called: Sequence[Outcome], searched: Sequence[Outcome]) -> ModelReply:
    question = separate_question(scene.functions, scene.subject)
    if question and "file_search" in scene.hosted and not searched:
        return search(scene)
    if _lacks_another_way(scene, called) and "file_search" in scene.hosted and not searched:
        return tool_requests(scene, [("file_search", "file_search", {"queries": [scene.policy.instead]})])
    told, escalated = _told_of_functions(scene, called)
    if question and searched:
        evidence = weigh(read_question(question, context_of(scene.talk)), scene.talk.hits)
        if evidence.answers:
            told += "\n\n" + answer.quoted_answer(evidence, scene.talk.hits, scene.policy, trouble=False)
        else:
            told += "\n\n" + answer.unknown_answer(scene.policy)
    return message(scene, told, escalated=escalated)


def _lacks_another_way(scene: Scene, called: Sequence[Outcome]) -> bool:
    """Whether a call failed for which the instructions want something told from the documents."""
    outputs = (outcome.output.content for outcome in called if outcome.output)
    failed = any(not report("", output).worked for output in outputs)
    return failed and scene.policy.instead is not None and not scene.policy.other_ways


def _told_of_functions(scene: Scene, called: Sequence[Outcome]) -> tuple[str, bool]:
    """What the outputs say, behind the words of handing over when people were brought in."""
    hands_over = {function.name for function in scene.functions if function.hands_over}
    escalated = any(outcome.request.name in hands_over for outcome in called)
    escalated = escalated or scene.situation.escalation is not None
    reports = [
        report(outcome.request.name, outcome.output.content if outcome.output else "") for outcome in called
    ]
    lines: list[str] = []
    if escalated and scene.policy.escalations:
        situation = scene.situation
        rule = situation.escalation or problem_escalation(scene.policy)
        lines.append(answer.handover_words(rule, situation.reason or "call"))
    if any(one.worked for one in reports):
        lines.append(" ".join([answer.DONE, *(one.text for one in reports if one.worked and one.text)]))
    for failure in (one for one in reports if not one.worked):
        lines.append(f"Unfortunately, that did not work: {failure.text}")
    if _lacks_another_way(scene, called) and scene.talk.hits:
        evidence = weigh(read_question(scene.policy.instead or ""), scene.talk.hits, most=1)
        lines += [answer.quoted(evidence, scene.talk.hits, scene.policy)] if evidence.answers else []
    if scene.policy.other_ways and any(not one.worked for one in reports):
        lines.append(f"You can also reach us here: {', '.join(scene.policy.other_ways)}.")
    return " ".join(lines), escalated


def _from_documents(scene: Scene) -> ModelReply:
    """The final message from what file_search found."""
    hits = scene.talk.hits
    situation = scene.situation
    if not scene.policy.escalations and wishes_a_person(fold(scene.talk.said)):
        return _ways_to_reach_people(scene)
    if situation.escalation is not None:
        return hand_over(scene, situation.escalation, situation.reason)
    found = [_evidence(scene, asked) for asked in asked_in(scene)]
    answered = [evidence for evidence in found if evidence.answers]
    if answered:
        parts = [
            answer.quoted_answer(evidence, hits, scene.policy, trouble=situation.trouble)
            for evidence in answered
        ]
        if len(answered) < len(found):
            parts.append(answer.unknown_answer(scene.policy))
        return message(scene, "\n\n".join(dict.fromkeys(parts)))
    if situation.trouble and situation.technical:
        return hand_over(scene, problem_escalation(scene.policy), "unsolved")
    return _not_in_documents(scene, found)


def _ways_to_reach_people(scene: Scene) -> ModelReply:
    evidence = weigh(read_question(CONTACT), scene.talk.hits, most=2)
    sorry = "I'm sorry, I can't connect you with a person from here."
    if not evidence.answers:
        return message(scene, sorry, found=False)
    return message(
        scene, f"{sorry} {answer.quoted_answer(evidence, scene.talk.hits, scene.policy, trouble=False)}"
    )


def _evidence(scene: Scene, asked: Asked) -> Evidence:
    read = read_question(
        asked.text,
        asked.context,
        extra=asked.facts,
        implied=_implied(scene),
        trouble=scene.situation.trouble,
        follows=asked.follows,
        lean=asked.lean,
    )
    return weigh(read, scene.talk.hits, most=2 if scene.policy.brief else 3)


def _insists(scene: Scene) -> bool:
    """Whether a message only goes on with what was turned away before."""
    turned_away = redirect_answer(scene.policy)[:40]
    return is_follow_up(scene.talk.said) and turned_away in scene.talk.last_answer


def _implied(scene: Scene) -> frozenset[str]:
    """Stems of the names of the company and the assistant."""
    return frozenset(content_stems(f"{scene.policy.company or ''} {scene.policy.name or ''}"))


def _not_in_documents(scene: Scene, found: Sequence[Evidence]) -> ModelReply:
    if scene.policy.redirects and (_is_off_topic(scene, found) or _insists(scene)):
        return message(scene, redirect_answer(scene.policy), found=False)
    rule = scene.policy.escalation_for("unanswered")
    if rule is not None:
        return hand_over(scene, rule, "unanswered")
    return message(scene, answer.unknown_answer(scene.policy), found=False)


def _is_off_topic(scene: Scene, found: Sequence[Evidence]) -> bool:
    """Whether practically nothing of the question occurs in the documents or the instructions."""
    if context_of(scene.talk):
        return False
    own = term_stems(scene.subject)
    if any(re.search(r"[a-z]-?\d", stem) for stem in own):
        return False  # codes and versions belong to somebody's product
    known = max((evidence.known_share for evidence in found), default=0.0)
    text = _POLITENESS.sub(" ", fold(scene.subject))
    if _CAN_I.search(text):
        return False
    if max((evidence.near for evidence in found), default=0.0) >= _ON_TOPIC:
        return False
    if own & scene.policy.scope or _IS_ABOUT_US.search(text) or (known and _ASKS_OF_A_SERVICE.search(text)):
        return False
    return known <= 0.34


_ON_TOPIC = 0.35
"""Nearness of some sentence of the documents from which a question is none about something else."""
_POLITENESS = re.compile(
    r"\b(?:can|could|would|will) you (?:please |kindly )?(?:tell|give|explain|help|show|write|say|recommend|"
    r"make|suggest|solve|translate|do|play|sing|draw|teach)\w*\b|\bdo you (?:know|think|like|believe)\b|"
    r"\bthank you\b|\bfor (?:me|my \w+)\b|\bhelp me\b"
)
_IS_ABOUT_US = re.compile(
    r"\b(?:you|your|is there|are there|here|our|costs?|prices?|fees?|charges?|discounts?|refunds?|deliver\w*|"
    r"included|available|allowed|permitted|accepted|required|"
    r"appointments?|accounts?|opening|subscri\w+|invoices?|warranty|guarantee|"
    r"my (?:order|booking|account|bill|invoice|card|contract|membership|ticket|plan|reservation|"
    r"application))\b"
)
_CAN_I = re.compile(r"(?<!how )\b(?:can|may|must|do|am) i\b(?! (?:make|cook|bake|get over|tell if))")
_ASKS_OF_A_SERVICE = re.compile(
    r"^(?:does|do|is|are|has|have|will) (?:the|my|our)\b|\b(?:can|may|must|do|am) i\b|\bmy\b|\bhow much\b"
)


def without_tools(scene: Scene) -> str:
    """The answer where no documents can be asked."""
    rule = scene.policy.escalation_for("unanswered")
    own = term_stems(scene.subject)
    if scene.policy.redirects and not own & scene.policy.scope and not scene.situation.trouble:
        return redirect_answer(scene.policy)
    if rule is not None or (scene.situation.trouble and scene.situation.technical):
        return answer.handover_words(
            rule or problem_escalation(scene.policy), "unanswered" if rule else "unsolved"
        )
    return answer.unknown_answer(scene.policy, documents=False)
