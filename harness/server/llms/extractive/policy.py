"""What an assistant's instructions ask for, read with general patterns of English.

The reading is lexical: quoted words in sentences about handing over become escalation phrases, the rest
of those sentences becomes their conditions, "questions about ..." becomes the scope, and so on. Nothing
is known beforehand about any business.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

import msgspec
from msgspec.structs import replace

from harness.server.llms.extractive.directives import MASK, Directive, directives_in, mask_quotes
from harness.server.llms.extractive.escalations import (
    HAND_OVER,
    LINKING,
    NEVER_SAY,
    NOT_KNOWN,
    OFF_TOPIC,
    SAY,
    Condition,
    Escalation,
    about_handing_over,
    condition_in,
    escalations_in,
    forbids,
    roles_in,
)
from harness.text import content_stems, fold


class Policy(msgspec.Struct, frozen=True):
    """What the instructions ask for.

    Attributes:
        escalations: Ways of handing over, in the order of the instructions; empty when there are none.
        topics: What it helps with, in words that fit after "I can help with"; None when not said.
        scope: Content stems of the whole instructions.
        name: The assistant's own name or title.
        company: For whom it works.
        redirects: Whether it is limited to its subject.
        redirect: The prescribed words for what is off topic.
        abstention: The prescribed words for what it does not know.
        forbidden: Subjects it must not go into.
        friendly: Whether a warm tone is wanted.
        brief: Whether short answers are wanted.
        cites: Whether sources may be cited.
        opening: Words every answer must begin with.
        closing: Words every answer must end with.
        roles: Who people may ask for, folded.
        adds: What is to be told beside the words of handing over, such as a telephone number.
        calls: Names of functions that sentences about handing over mention.
        other_ways: Addresses and numbers to give when a hand-over could not be made.
        elsewhere: Cases that the assistant cannot deal with, each with where to point people.
        instead: What to look up and tell when a call fails, in the words of the instructions.
    """

    escalations: tuple[Escalation, ...] = ()
    topics: str | None = None
    scope: frozenset[str] = frozenset()
    name: str | None = None
    company: str | None = None
    redirects: bool = False
    redirect: str | None = None
    abstention: str | None = None
    forbidden: tuple[Condition, ...] = ()
    friendly: bool = False
    brief: bool = False
    cites: bool = True
    opening: str | None = None
    closing: str | None = None
    roles: tuple[str, ...] = msgspec.field(default=())
    adds: str | None = None
    calls: frozenset[str] = frozenset()
    other_ways: tuple[str, ...] = ()
    elsewhere: tuple[tuple[Condition, str], ...] = ()
    instead: str | None = None

    def escalation_for(self, kind: str) -> Escalation | None:
        """The first way of handing over that has a condition of this kind."""
        for escalation in self.escalations:
            if any(kind in condition.kinds for condition in escalation.conditions):
                return escalation
        return None

    @property
    def default_escalation(self) -> Escalation | None:
        """The way of handing over that covers most cases."""
        return max(self.escalations, key=lambda one: len(one.conditions), default=None)


@lru_cache(maxsize=256)
def read_policy(instructions: str) -> Policy:
    """The policy that these instructions describe."""
    masked, quotes = mask_quotes(instructions)
    directives = directives_in(masked)
    escalations = escalations_in(directives, quotes)
    company = _company(masked)
    return Policy(
        escalations=escalations,
        topics=_topics(directives, company),
        scope=frozenset(_scope(directives, quotes)),
        name=_name(masked),
        company=company,
        redirects=bool(OFF_TOPIC.search(fold(masked))) or _topics(directives, company) is not None,
        redirect=_prescribed(directives, quotes, OFF_TOPIC, escalations),
        abstention=_prescribed(directives, quotes, NOT_KNOWN, escalations),
        forbidden=tuple(_forbidden(directives)),
        friendly=bool(_FRIENDLY.search(fold(masked))),
        brief=bool(_BRIEF.search(fold(masked))),
        cites=not _NO_CITATIONS.search(fold(masked)),
        opening=_edge(directives, quotes, _OPENING),
        closing=_edge(directives, quotes, _CLOSING),
        roles=roles_in(directives, quotes),
        adds=_adds(directives, quotes),
        calls=frozenset(_calls(directives, quotes)),
        other_ways=tuple(dict.fromkeys(_other_ways(directives))),
        elsewhere=tuple(_elsewhere(directives)),
        instead=_instead(directives),
    )


# --- scope ----------------------------------------------------------------------------------------


def _scope(directives: list[Directive], quotes: list[str]) -> Iterator[str]:
    """Stems of the instructions but for what they turn away or forbid."""
    yield from content_stems(" ".join(quotes))
    for directive in directives:
        only = re.search(r"\bonly\b|stick to", fold(directive.text))
        away = _TURNED_AWAY.search(fold(directive.text)) and not only
        if not away and not _FORBIDDEN.search(fold(directive.text)):
            yield from content_stems(f"{directive.heading} {directive.text}")


_TURNED_AWAY = re.compile(r"\b(?:declin\w+|turn(?:ed|s)? (?:\w+ )?(?:away|down)|refus\w+|off[- ]topic)\b")
_TOPIC_PATTERNS = (
    r"\b(?:questions?|inquir\w+|enquir\w+|quer(?:y|ies)|topics|matters|requests|things|"
    r"anything)\s+(?:about|on|regarding|"
    r"concerning|related to|relating to|around|that concern)\s+(?P<topics>.+)",
    r"\b(?:help|helps|helping|assist|assists|assisting|support|supports|advise|"
    r"guide)\s+(?:\w+\s+){0,4}?(?:with|on|about|regarding|"
    r"concerning)\s+(?P<topics>.+)",
    r"\b(?:help|helps|helping|assist|assists)\s+(?:\w+\s+){0,4}?(?:to|in)\s+(?P<doing>[a-z]+\b.+)",
    r"\b(?:about|regarding|concerning)\s+(?P<topics>.+)",
)
_TOPIC_END = re.compile(
    r"\s*(?:[.;:!?⟦(]|,?\s(?:and|but|then)\s(?:you|do|never|always|politely|redirect|nothing|for|"
    r"answer|say|escalat\w+|hand|be|no"
    r"\b)|,\s(?:using|based|by|in a|with a|never|politely|drawing|and only)|\s(?:using|based on|by "
    r"(?:using|searching)|from the|"
    r"with the help|only\b|in a (?:friendly|polite|warm)|unless|if|when|so that)\b)"
)


def _topics(directives: list[Directive], company: str | None) -> str | None:
    for pattern in _TOPIC_PATTERNS:
        for directive in directives:
            text = MASK.sub(" ", directive.text)
            if OFF_TOPIC.search(fold(text)) and not re.search(r"\bonly\b|stick to", fold(text)):
                continue
            if forbids(text) or HAND_OVER.search(fold(text)):
                continue
            match = re.search(pattern, text, re.IGNORECASE)
            topics = _topic_words(match) if match else None
            if topics:
                return f"questions about {company}" if company and _VAGUE.match(fold(topics)) else topics
    return f"questions about {company}" if company else None


_VAGUE = re.compile(
    r"(?:(?:the|our|this) (?:product|company|service|app|software|shop|store|business|website|site|"
    r"platform)|our|its?)\b"
)


def _topic_words(match: re.Match[str]) -> str | None:
    groups = match.groupdict()
    words = groups.get("topics") or groups.get("doing") or ""
    words = " ".join(_TOPIC_END.split(words, maxsplit=1)[0].split()).strip(" ,*-")
    words = re.sub(r"\b(?:their|your)\b", "your", words)
    words = re.sub(r"\b(?:it|them|this|that|these)$", "", words).strip(" ,")
    if not content_stems(words) or len(words) > 160:
        return None
    if groups.get("doing"):
        return f"questions on how to {words}"
    return words


_COMPANY = re.compile(
    r"\b(?:for|of|at|by|represent(?:ing)?|behalf of)\s+(?:the\s+|"
    r"our\s+)?(?P<company>[A-Z][\w&'’-]*(?:\.[a-z]\w+)?(?:\s+(?:of|the|and|&|"
    r"[A-Z][\w&'’-]*)(?=[\s,.;:!]))*)"
)
_NOT_A_COMPANY = frozenset(
    "i you the always never if when english german french spanish markdown pdf api json faq use a an".split()
)


def _company(masked: str) -> str | None:
    for match in _COMPANY.finditer(masked):
        words = [word.rstrip(".") for word in match["company"].split()]
        while words and words[-1].casefold() in {"of", "the", "and", "&"}:
            words.pop()
        if words and words[0].casefold() not in _NOT_A_COMPANY:
            return re.sub(r"['’]s$", "", " ".join(words))
    return None


_NAME = re.compile(
    r"\b(?:[Yy]our name is|[Yy]ou are called|[Yy]ou go by|call yourself|[Nn]amed|[Kk]nown "
    r"as)\s+(?:the\s+)?(?P<name>[A-Z][\w-]*(?:\s[A-Z][\w-]*)*)|"
    r"\b[Yy]ou(?: are|'re|’re)\s+(?P<self>[A-Z][\w-]*(?:\s[A-Z][\w-]*){0,3})(?=\s*[,.(]|\s+(?:the|"
    r"a|an|and|from|for|at|of)\b)"
)


def _name(masked: str) -> str | None:
    match = _NAME.search(masked)
    return (match["name"] or match["self"]) if match else None


# --- prescribed words, tone -----------------------------------------------------------------------


def _prescribed(
    directives: list[Directive],
    quotes: list[str],
    subject: re.Pattern[str],
    escalations: tuple[Escalation, ...],
) -> str | None:
    """Quoted words in a sentence about this subject that are not an escalation phrase."""
    taken = {escalation.phrase for escalation in escalations}
    for directive in directives:
        context = directive.text if MASK.search(directive.text) else ""
        about = fold(f"{directive.lead} {context}")
        if not subject.search(MASK.sub(" ", about)) and not (
            LINKING.match(fold(context)) and subject.search(MASK.sub(" ", fold(directive.before)))
        ):
            continue
        for match in MASK.finditer(context):
            words = quotes[int(match.group(1))]
            before = fold(context[: match.start()])[-60:]
            said = SAY.search(before) or before.rstrip().endswith(":")
            if words not in taken and len(words.split()) > 2 and said and not NEVER_SAY.search(before):
                return words
    return None


_FORBIDDEN = re.compile(
    r"\b(?:never|do not|don't|must not|may not|cannot|refuse to|avoid|not allowed to|should not|shouldn't)\s+"
    r"(?:ever\s+)?(?:give|giving|provide|providing|offer|offering|discuss|discussing|talk about|"
    r"talking about|comment on|"
    r"commenting on|speculate (?:about|on)|answer questions (?:about|on))\s+(?:any\s+)?(?P<what>[^.;⟦]+)"
)
_META = re.compile(
    r"\b(?:unless|outside|unrelated|other than|not in|beyond|off-topic|instructions?|prompt|"
    r"information that|answers? (?:that|from)|"
    r"anything (?:that|not|else)|without)\b"
)


def _forbidden(directives: list[Directive]) -> Iterator[Condition]:
    for directive in directives:
        match = _FORBIDDEN.search(fold(directive.text))
        if match is None or _META.search(match["what"]):
            continue
        what = re.split(r"\bbut\b|\binstead\b", match["what"])[0]
        for part in re.split(r",\s*(?:or\s+|and\s+)?|\s+(?:or|and)\s+", what):
            condition = condition_in(re.sub(r"\badvice\b", " ", part))
            if condition.stems or condition.kinds:
                yield replace(condition, text=part.strip())


_FRIENDLY = re.compile(
    r"\b(?:friendly|warm\w*|cheerful\w*|welcoming|kind\w*|casual\w*|upbeat|approachable|personable|"
    r"helpful and)\b"
)
_BRIEF = re.compile(
    r"\b(?:concise\w*|brief\w*|short (?:answers?|replies|sentences)|keep (?:it|answers?|replies) "
    r"short|to the point|one sentence)\b"
)
_NO_CITATIONS = re.compile(
    r"\b(?:do not|don't|never|without) (?:\w+ )?(?:cit(?:e|ing|ations?)|(?:mention|name|include|"
    r"show)\w* (?:the |your )?(?:sources?|citations?))"
)
_OPENING = re.compile(
    r"\b(?:start|begin|open|greet)\w*\b.*\b(?:every|each|all|always|your|any)\b|\balways (?:start|"
    r"begin|open|greet)"
)
_CLOSING = re.compile(
    r"\b(?:end|finish|close|sign off|conclude)\b.*\b(?:every|each|all|always|your|any)\b|\balways "
    r"(?:end|finish|close|sign)"
)


def _edge(directives: list[Directive], quotes: list[str], pattern: re.Pattern[str]) -> str | None:
    for directive in directives:
        text = fold(directive.text)
        match = MASK.search(directive.text)
        if match and pattern.search(text) and not HAND_OVER.search(MASK.sub(" ", text)):
            return quotes[int(match.group(1))]
    return None


_IDENTIFIER = re.compile(r"[A-Za-z]+(?:_[A-Za-z]+)+|[a-z]+(?:[A-Z][a-z]+)+")


def _calls(directives: list[Directive], quotes: list[str]) -> Iterator[str]:
    for directive in directives:
        if about_handing_over(directive, quotes):
            quoted = [quotes[int(number)] for number in MASK.findall(directive.text)]
            yield from _IDENTIFIER.findall(directive.text)
            yield from (words for words in quoted if _IDENTIFIER.fullmatch(words))


_ADD = re.compile(
    r"⟧.{0,20}?\b(?:add|give|mention|include|tell (?:them|him or her))\s+(?P<what>(?:the|our|your|"
    r"them the)\s[^.;⟦]{3,120})",
    re.DOTALL,
)


def _adds(directives: list[Directive], quotes: list[str]) -> str | None:
    """What is wanted beside the words: "say '...' and add the telephone number of the desk"."""
    for directive in directives:
        match = _ADD.search(directive.text)
        if match and about_handing_over(directive, quotes):
            return " ".join(match["what"].split())
    return None


_FAILS = re.compile(
    r"\b(?:could not|couldn't|cannot|can't|can not|fails?|failed|unavailable|does not work|not "
    r"possible|errors?|refused|rejected|(?:not|n't) go through|goes wrong|declined by)\b"
)
_REACHED = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+|https?://[^\s)>,]+[\w/]|\+?\d[\d ()/-]{5,}\d")


def _other_ways(directives: list[Directive]) -> Iterator[str]:
    """Where else people can turn, in sentences about what to do when something fails."""
    for directive in directives:
        if _FAILS.search(fold(directive.text)):
            yield from _REACHED.findall(directive.text)


_TELLS_INSTEAD = re.compile(
    r"\b(?:give|mention|point (?:them |him |her )?to|offer|tell (?:them|the \w+)|say)\s+(?:that )?"
    r"(?P<what>[^.;⟦]{8,200})"
)


def _instead(directives: list[Directive]) -> str | None:
    """What is to be told from the documents where a call fails: "give the number of the service center"."""
    for directive in directives:
        text = fold(directive.text)
        fails = _FAILS.search(text)
        told = _TELLS_INSTEAD.search(text, fails.end()) if fails else None
        if told and not _REACHED.search(directive.text):
            return re.split(r",? as (?:the|our|your)\b", re.split(r"\band that\b", told["what"])[-1])[
                0
            ].strip()
    return None


_POINTS_TO = re.compile(
    r"\b(?:if|when|whenever|for)\s+(?P<case>[^.;⟦]{4,160}?)(?:\s+and|,)\s+(?:\w+ ){0,3}?"
    r"(?:point|refer|direct|send)\s+(?:\w+ ){0,2}?to\s+(?P<where>[^;⟦]{4,80}?)(?=[,;]|\.(?:\s|$)|$)"
)


def _elsewhere(directives: list[Directive]) -> Iterator[tuple[Condition, str]]:
    """What people are to take elsewhere: "if somebody asks for their status, point to the portal"."""
    for directive in directives:
        match = _POINTS_TO.search(fold(directive.text))
        condition = condition_in(match["case"]) if match else None
        if match and condition and condition.stems and not _FAILS.search(match["case"]):
            yield condition, match["where"].strip()
