"""When a message is to be handed over to people, and why."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache

import msgspec

from harness.server.llms.extractive.escalations import Condition, Escalation
from harness.server.llms.extractive.lexicon import (
    KINDS,
    NOT_SOLVED,
    SAME_AGAIN,
    SEVERE_KINDS,
    SOLVED,
    TRIED,
    TROUBLE,
    alike,
    in_usual_words,
    synonyms,
)
from harness.server.llms.extractive.policy import Policy
from harness.server.llms.extractive.talk import Talk, Turn
from harness.text import content_stems, fold


class Situation(msgspec.Struct, frozen=True):
    """How a message stands to the instructions' rules for handing over.

    Attributes:
        escalation: The rule that holds already now; None while there is none.
        reason: ``wish``, ``condition``, ``severe``, ``tried`` or empty.
        trouble: Whether something is reported to be wrong.
        technical: Whether the instructions hand over problems that cannot be solved.
    """

    escalation: Escalation | None
    reason: str
    trouble: bool
    technical: bool


def read_situation(talk: Talk, policy: Policy) -> Situation:
    """The situation that the current message makes."""
    text = fold(talk.said)
    if not policy.escalations:
        return Situation(None, "", reports_trouble(text) or _goes_on_about_trouble(talk), False)
    if wishes_a_person(text, policy.roles):
        rule = policy.escalation_for("person") or policy.default_escalation
        return Situation(rule, "wish", reports_trouble(text), _for_problems(policy) is not None)
    talk = replace(talk, said=without_refusal(talk.said, policy.roles))
    return _situation_of_matter(talk, policy)


def _situation_of_matter(talk: Talk, policy: Policy) -> Situation:
    """The situation by what the message is about."""
    text = fold(talk.said)
    if is_solved(text):
        return Situation(None, "", False, _for_problems(policy) is not None)
    trouble = reports_trouble(text) or _goes_on_about_trouble(talk) or _is_severe(text)
    unsolved = _for_problems(policy)
    for escalation in policy.escalations:
        if any(_holds(condition, text) for condition in escalation.conditions):
            return Situation(escalation, "condition", trouble, unsolved is not None)
    reason = _reason_of_trouble(talk, text) if trouble and unsolved else ""
    return Situation(unsolved if reason else None, reason, trouble, unsolved is not None)


def is_solved(text: str) -> bool:
    """Whether folded words say that the problem is over."""
    return bool(SOLVED.search(text)) and not NOT_SOLVED.search(text) and "?" not in text


def _is_severe(text: str) -> bool:
    return not is_informational(text) and any(
        KINDS[kind][1].search(text) for kind in SEVERE_KINDS if kind != "emergency"
    )


def _for_problems(policy: Policy) -> Escalation | None:
    """The rule for problems that cannot be solved here: named as such, or the only, unconditional one."""
    for kind in ("technical", "unresolved"):
        found = policy.escalation_for(kind)
        if found:
            return found
    default = policy.default_escalation
    return default if default and not default.conditions else None


def _reason_of_trouble(talk: Talk, text: str) -> str:
    if _is_severe(text):
        return "severe"
    if TRIED.search(text) or _goes_on_about_trouble(talk):
        return "tried"
    return ""


# --- the wish for a person ------------------------------------------------------------------------


_STRONG_ROLES = (
    "human(?: being| agent| operator)?|(?:real|live|actual) (?:person|human|agent|someone)|person|"
    "agent|representative|rep|operator|"
    "supervisor|customer (?:service|support|care)|support (?:team|agent|staff|person)|technical "
    "team|human support|advis[oe]r|employee|staff member|member of staff|someone real|somebody real"
)
_ANY_ROLES = (
    f"{_STRONG_ROLES}|someone|somebody|anyone|manager|specialist|expert|engineer|technician|staff|"
    f"your team|the team|colleague|support"
)
_FILLERS = (
    r"(?:a |an |the |some |your |any |one of your |one of the |with |to |another |from |real |live "
    r"|actual |senior |right |appropriate )*"
)


@lru_cache(maxsize=64)
def _wish_pattern(roles: tuple[str, ...]) -> re.Pattern[str]:
    named = "|".join(re.escape(role) for role in sorted(roles, key=len, reverse=True))
    strong = f"{_STRONG_ROLES}|{named}" if named else _STRONG_ROLES
    any_role = f"{_ANY_ROLES}|{named}" if named else _ANY_ROLES
    no_object = (
        r"(?! (?:role|account|access|permission|seat|licen[cs]e|login|id|number|name|field|list|page))"
    )
    return re.compile(
        rf"\b(?:speak|talk|chat)(?:ing)? (?:directly |now )?(?:to|with) "
        rf"{_FILLERS}(?:{any_role})s?\b{no_object}|"
        rf"\b(?:connect|transfer|refer|pass|forward|put|hand|send|escalate) (?:me|us|this|it|my "
        rf"\w+)\b[^.?!\n]{{0,20}}\b(?:to|with|through|over)\b"
        rf"[^.?!\n]{{0,12}}\b(?:{any_role})s?\b|"
        rf"\b(?:be|get|got) (?:connected|transferred|put through|handed over|escalated)\b|\bescalate "
        rf"(?:this|it|my)\b|\bput me through\b|"
        rf"\b(?:i|we)(?: really| just|'d| would)* (?:need|want|prefer|demand|require|like|insist on|"
        rf"ask for|request)(?: to (?:have|see|get))? {_FILLERS}(?:{strong})s?\b{no_object}|"
        rf"\b(?:get|give|bring|fetch|call|find) (?:me |us )?{_FILLERS}(?:{strong})s?\b(?! (?:to do|on))|"
        rf"\b(?:have|let|ask|can|could|should|would|will|please) (?:{any_role}) (?:please )?(?:call|"
        rf"contact|help|phone|ring|get back to|reach|email) (?:me|us)\b|"
        rf"\b(?:is|are) there (?:a |an |any )?(?:{any_role})s?(?: there| available| around)?(?: "
        rf"(?:that |who |whom )?i (?:can|could))? (?:talk|speak|available|here)\b|"
        rf"^(?:please,? )?{_FILLERS}(?:{strong})s?(?:,? please| now)*[.!?]*$|\b(?:{strong}),? please\b|"
        rf"\bcall me back\b|\b(?:a|request) (?:callback|call back)\b"
    )


_REFUSES = re.compile(
    r"\b(?:do not|don't|dont|not|no need|never|without|rather than|instead of|not want|please no|"
    r"stop|avoid)\b[^.?!,;\n]{0,35}$"
)
_ASKS_HOW_TO_REACH = re.compile(
    r"\bhow (?:do|can|could|would|should) (?:i|we|one|you) (?:contact|reach|call|email|add|invite|"
    r"remove|find)\b"
)


def wishes_a_person(text: str, roles: tuple[str, ...] = ()) -> bool:
    """Whether folded words ask for a person, as opposed to mentioning one or refusing."""
    return any(
        not _REFUSES.search(text[: match.start()]) and not _ASKS_HOW_TO_REACH.search(text)
        for match in _wish_pattern(roles).finditer(text)
    )


def without_refusal(said: str, roles: tuple[str, ...]) -> str:
    """The message without clauses that say no to a person; whole when nothing would be left."""
    if not any(_REFUSES.search(fold(said)[: m.start()]) for m in _wish_pattern(roles).finditer(fold(said))):
        return said
    clauses = re.split(r"(?<=[,.;!])\s+", said)
    kept = [clause for clause in clauses if not _wish_pattern(roles).search(fold(clause))]
    rest = re.sub(
        r"^(?:just|please|only|but)\s+(?:just\s+|please\s+)?(?:tell me\s+)?",
        "",
        " ".join(kept),
        flags=re.IGNORECASE,
    )
    return rest if content_stems(rest) else said


# --- trouble --------------------------------------------------------------------------------------


_INFORMATIONAL = re.compile(
    r"^(?:(?:and|so|ok|okay|but|hi|hello|also|well|please|thanks|then|one more question|(?:just )?out of "
    r"(?:curiosity|interest)|just wondering|quick question|in general|generally|by the way|(?:from|by|"
    r"until|till|"
    r"up to|to|at|for|in|on|since|after|with|under) (?=what|which|when|where|how|"
    r"who))[,:!.]? ?)*(?:what|which|when|where|who|how (?!come)|is there|are there|"
    r"do you|does|can (?:i|you|we|it)|could (?:i|you|we)|may i|tell me|explain|list|should|would|will)\b"
)
_ABOUT_ME = re.compile(
    r"\b(?:my|our|i've|i have|i'm|we've|i lost|i was|i got|i am|it is|it's|i can't|i cannot|keeps?|me)\b"
)


def is_informational(text: str) -> bool:
    """Whether folded words ask for information instead of reporting something."""
    last = re.split(r"(?<=[.!?])\s+", text.strip())[-1]
    if not _INFORMATIONAL.match(text) and not (last.endswith("?") and _INFORMATIONAL.match(last)):
        return False
    return not (
        _ABOUT_ME.search(text) and TROUBLE.search(text) and not text.startswith(("what does", "what happens"))
    )


def reports_trouble(text: str) -> bool:
    """Whether folded words report that something does not work."""
    if is_solved(text):
        return False
    told = [piece for piece in re.split(r"(?<=[.!?])\s+", text.strip()) if not piece.endswith("?")]
    if is_informational(text) and (len(told) == 0 or all(is_informational(piece) for piece in told)):
        return False
    if is_informational(text):
        return any(TROUBLE.search(piece) and not is_informational(piece) for piece in told)
    return bool(TROUBLE.search(text) or _DID_NOT_HELP.search(text))


_DID_NOT_HELP = re.compile(
    r"\b(?:did|does|has|have)(?:n't| not) (?:really )?(?:help|helped|work|worked|solve|solved|fix|fixed)\b|"
    r"\btried (?:all|every|both|the steps|that|this)|\bstill (?:the same|stays?|crash\w*|fail\w*|"
    r"happen\w*|stuck)\b"
)


def _goes_on_about_trouble(talk: Talk) -> bool:
    """Whether the message says that an earlier answer to a problem did not help."""
    text = fold(talk.said)
    before = [turn for turn in talk.earlier if turn.user and turn.assistant]
    troubled = [turn for turn in before if reports_trouble(fold(turn.user)) or _asked_for_a_remedy(turn)]
    if not troubled or is_informational(text):
        return False
    if TRIED.search(text):
        return True
    short_and_negative = (
        len(content_stems(text)) <= 6 and bool(SAME_AGAIN.search(text)) and not text.endswith("?")
    )
    same = _same_matter(text, troubled[-1].user) and bool(TROUBLE.search(text))
    return (short_and_negative and talk.earlier[-1] in troubled) or same


def _same_matter(text: str, earlier: str) -> bool:
    own, other = set(content_stems(text)), set(content_stems(earlier))
    shared = len(own & other)
    return shared >= 2 or (shared >= 1 and 2 * shared >= min(len(own), len(other)))


def _asked_for_a_remedy(turn: Turn) -> bool:
    text = fold(turn.user)
    return bool(TROUBLE.search(text) or re.search(r"\b(?:fix|solve|repair|troubleshoot)\b", text))


# --- conditions of the instructions ---------------------------------------------------------------


_ALWAYS = ("legal", "medical", "emergency")
_JUDGED_BY_SITUATION = frozenset({"technical", "unresolved", "unanswered", "person"})


def _holds(condition: Condition, text: str) -> bool:
    """Whether what folded words report, as opposed to what they ask, is the case of a condition."""
    kinds = condition.kinds - _JUDGED_BY_SITUATION
    if condition.kinds and not kinds:
        return False
    if condition.above is not None and not _exceeds(text, condition.above):
        return False
    if any(KINDS[kind][1].search(text) for kind in kinds.intersection(_ALWAYS)):
        return True
    told = _reported(text)
    if any(KINDS[kind][1].search(told) for kind in kinds) and _of_the_same(condition.rest, told):
        return True
    return _mentions(condition.stems, told) and not (kinds and len(condition.stems) < 2)


def _reported(text: str) -> str:
    """What folded words tell; of a question with a report about oneself before it only that."""
    if not is_informational(text):
        return text
    pieces = re.split(r"(?<=[.!?])\s+", text.strip())
    told = [piece for piece in pieces if not piece.endswith("?") and not _INFORMATIONAL.match(piece)]
    return " ".join(piece for piece in told if _ABOUT_ME.search(piece))


def _of_the_same(rest: frozenset[str], text: str) -> bool:
    """Whether a condition's kind comes with enough of what else it says; one word more is no matter."""
    said = set(content_stems(text))
    return len(rest) < 2 or 2 * sum(_said(wanted, said) for wanted in rest) >= len(rest)


def concerns(condition: Condition, text: str) -> bool:
    """Whether folded words are about the subject of a condition, in whatever form."""
    return any(KINDS[kind][1].search(text) for kind in condition.kinds) or _mentions(condition.stems, text)


def _mentions(stems: frozenset[str], text: str) -> bool:
    if not stems:
        return False
    said = set(content_stems(in_usual_words(text)))
    hit = sum(_said(wanted, said) for wanted in stems)
    return hit >= len(stems) * (0.99 if len(stems) <= 2 else 0.6)


def _said(wanted: str, said: set[str]) -> bool:
    return wanted in said or bool(synonyms(wanted) & said) or any(alike(wanted, other) for other in said)


_AMOUNTS = re.compile(r"(?<![\w.])(\d[\d,]*(?:\.\d+)?)(?![\w-]*\d)")


def _exceeds(text: str, limit: float) -> bool:
    return any(float(number.replace(",", "")) > limit for number in _AMOUNTS.findall(text))
