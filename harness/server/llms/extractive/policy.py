"""What an assistant's instructions ask for, read with general patterns of English.

The reading is lexical: quoted words in sentences about handing over become escalation phrases, the rest
of those sentences becomes their conditions, "questions about ..." becomes the scope, and so on. Nothing
is known beforehand about any business.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache

from harness.server.llms.extractive.lexicon import KINDS, generic_stems
from harness.text import content_stems, fold, sentences


@dataclass(frozen=True, slots=True)
class Condition:
    """One case in which the instructions want something done.

    Attributes:
        text: The words of the instructions.
        stems: Its content stems, without those that name nobody and nothing.
        kinds: General kinds of it: ``technical``, ``complaint``, ``person``, ``unanswered`` and so on.
        rest: The stems that none of the kinds stands for.
        above: The amount from which it holds, as in "refunds over 100 euros"; None without one.
    """

    text: str
    stems: frozenset[str]
    kinds: frozenset[str]
    above: float | None = None
    rest: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Escalation:
    """A way of handing over to people: the words to say (None when none are prescribed) and when."""

    phrase: str | None
    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Policy:
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
    roles: tuple[str, ...] = field(default=())
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
    masked, quotes = _mask_quotes(instructions)
    directives = _directives(masked)
    escalations = _escalations(directives, quotes)
    company = _company(masked)
    return Policy(
        escalations=escalations,
        topics=_topics(directives, company),
        scope=frozenset(_scope(directives, quotes)),
        name=_name(masked),
        company=company,
        redirects=bool(_OFF_TOPIC.search(fold(masked))) or _topics(directives, company) is not None,
        redirect=_prescribed(directives, quotes, _OFF_TOPIC, escalations),
        abstention=_prescribed(directives, quotes, _NOT_KNOWN, escalations),
        forbidden=tuple(_forbidden(directives)),
        friendly=bool(_FRIENDLY.search(fold(masked))),
        brief=bool(_BRIEF.search(fold(masked))),
        cites=not _NO_CITATIONS.search(fold(masked)),
        opening=_edge(directives, quotes, _OPENING),
        closing=_edge(directives, quotes, _CLOSING),
        roles=_roles(directives, quotes),
        adds=_adds(directives, quotes),
        calls=frozenset(_calls(directives, quotes)),
        other_ways=tuple(dict.fromkeys(_other_ways(directives))),
        elsewhere=tuple(_elsewhere(directives)),
        instead=_instead(directives),
    )


# --- sentences and quotations ---------------------------------------------------------------------


_QUOTED = re.compile(
    r"“([^”\n]{2,400})”|\"([^\"\n]{2,400})\"|"
    r"«\s?([^»\n]{2,400}?)\s?»|„([^“”\n]{2,400})[“”]|"
    r"‘((?:[^’\n]|(?<=\w)’(?=\w)){2,400})’(?!\w)|`([^`\n]{2,400})`|"
    r"(?<![\w'])'((?:[^'\n]|(?<=\w)'(?=\w)){2,400})'(?!\w)"
)
_MASK = re.compile(r"⟦(\d+)⟧")


def _mask_quotes(instructions: str) -> tuple[str, list[str]]:
    """Quotations replaced by numbered marks, so that a full stop inside ends no sentence outside."""
    quotes: list[str] = []

    def mask(match: re.Match[str]) -> str:
        quotes.append(next(group for group in match.groups() if group).strip().rstrip(","))
        return f" ⟦{len(quotes) - 1}⟧" + ("." if quotes[-1][-1] in ".!?" and _ends_here(match) else " ")

    return _QUOTED.sub(mask, instructions), quotes


def _ends_here(match: re.Match[str]) -> bool:
    """Whether the quotation closes its sentence: nothing, or a capital, follows it."""
    rest = match.string[match.end() : match.end() + 3].lstrip(" *_")
    return not rest or rest[0] == "\n" or rest[0].isupper()


@dataclass(frozen=True, slots=True)
class _Directive:
    """One sentence of the instructions with what it hangs from: its heading, or what opens its list."""

    text: str
    heading: str
    lead: str
    before: str


def _is_heading(raw: str) -> bool:
    if raw.startswith("#") or re.fullmatch(r"\*\*[^*]+\*\*:?|[A-Z][A-Z /&-]{3,40}:?", raw):
        return True
    return len(raw.split()) <= 6 and raw[0].isupper() and raw[-1] not in ".!?:;,⟧" and "⟦" not in raw


_ITEM = re.compile(r"^\s*(?:[-*•–]|\(?\d{1,2}[.)])\s+")


def _directives(masked: str) -> list[_Directive]:
    found: list[_Directive] = []
    heading = lead = before = ""
    for raw in (part for span in sentences(masked) for part in _parts(span.text.strip())):
        text = _ITEM.sub("", raw).strip()
        if _is_heading(raw):
            heading, lead, before = raw.strip("#*: "), "", ""
            continue
        is_item = bool(_ITEM.match(raw))
        found.append(_Directive(text.replace("**", ""), heading, lead if is_item else "", before))
        if not is_item:
            lead = "" if text.rstrip()[-1:] in (".", "!", "?", "") else text
        before = text
    return found


def _parts(sentence: str) -> list[str]:
    """A sentence cut at its semicolons, unless these part the items that a colon announces."""
    return [sentence] if ":" in sentence.partition(";")[0] else re.split(r"(?<=;)\s+", sentence)


def _with_their_items(directives: list[_Directive]) -> list[_Directive]:
    """The directives; the items of a list about handing over are one with the words that open it."""
    found: list[_Directive] = []
    for directive in directives:
        hands_over = _names_handing_over(f"{directive.heading} {directive.lead}")
        opened = found[-1] if found and directive.lead and hands_over else None
        if opened and opened.text.startswith(directive.lead):
            mark = ":" if opened.text == directive.lead.rstrip() and opened.text[-1] != ":" else ""
            found[-1] = replace(opened, text=f"{opened.text}{mark} {directive.text.rstrip('.,;')};")
        else:
            found.append(directive)
    return found


# --- handing over ---------------------------------------------------------------------------------


_PEOPLE = (
    r"(?:humans?(?: being)?|colleague|person|representative|agent|specialist|supervisor|operator|employee|"
    r"advis[oe]r|officer|nurse|librarian|receptionist|manager|expert|technician|member of staff)s?"
)
_HAND_OVER = re.compile(
    rf"\b{_PEOPLE} (?:only|if|when|takes? over|steps? in)\b|"
    r"\b(?:escalat\w*|needs? (?:a |an |the )?(?:person|human|colleague|member of staff|specialist)|"
    r"hand(?:s|ed|ing)?[ -]?(?:it |them |this |the \w+ |\w+ )?(?:over|off)|handover|handoff|"
    r"transfer(?:red|ring)?(?= (?:to|them|you|him|her|the|it|this|a|an|such|any|people|users?|"
    r"customers?|callers?|"
    r"that|over|immediately)\b)|"
    r"connect(?:s|ed|ing)? (?:them|you|him|her|the|with|to|people|users?|customers?|callers?|"
    r"visitors?|members?|patients?)|"
    r"pass(?:ed|ing|es)? (?:\w+ ){0,3}?(?:on|over|along|to)|forward(?:ed|ing)? (?:\w+ ){0,3}?to|"
    r"put (?:\w+ ){1,2}?through|"
    r"refer (?:\w+ ){1,3}?to|referred to|rout(?:e|ed|ing) (?:\w+ ){0,3}?to|"
    r"(?:bring|call|get|fetch|involv)(?:e|s|ing)? (?:in )?some(?:one|body)\b|"
    r"(?:bring|call|get|fetch|involv)(?:e|s|ing)? (?:in )?(?:a|an|the|our|some) (?:\w+ )?"
    r"(?:human|person|colleague|agent|specialist|expert|supervisor|manager|librarian|nurse|"
    r"advis[oe]r|team|member)|"
    r"(?:to|by|with|for(?= an?\b| our\b)|from|ask a|tell a) (?:a |an |the |our |your |another )?(?:\w+ "
    rf"){{0,2}}?{_PEOPLE}\b)"
)
_SPEAKS_OF_PEOPLE = re.compile(
    r"\b(?:connect\w*|transfer\w*|hand(?:ing)? \w+ over|hand(?:ing)? (?:this|it|you)|pass(?:ing)?|"
    r"forward\w*|escalat\w*|human|"
    r"colleague|specialist|representative|agent|team|someone|somebody|person|put you through|reach "
    r"out|call you|"
    r"contact you|get back to you|in touch|follow up|bring in|get(?:ting)? (?:a|an|one of|our|the)|"
    r"staff|manager|supervisor|"
    r"advis[oe]r|librarian|nurse|operator|expert|desk|crew|technician|engineer|take (?:this|it|"
    r"over)|takes (?:over|care))\b"
)
_SAY = re.compile(
    r"\b(?:say|says|saying|said|reply|replying|respond|responding|answer|write|writing|tell|"
    r"telling|use|using|words?|phrase|"
    r"sentence|message|state|stating|announce|with|exactly|verbatim|inform\w*)\b"
)
_NEVER_SAY = re.compile(
    r"\b(?:never|do not|don't|avoid|must not|not)\s+(?:\w+\s+){0,2}?(?:say|use|write|promise|answer|reply)"
)
_OFF_TOPIC = re.compile(
    r"\b(?:off[- ]?topic|unrelated|outside (?:of )?(?:your|this|that|these|the|our) (?:scope|area|"
    r"topic|subject|domain|remit)\w*|"
    r"out of scope|other (?:topics|subjects|questions|matters|things)|anything else|irrelevant|not "
    r"(?:about|related)|"
    r"nothing to do with|only (?:answer|help|discuss|talk|assist|respond)|stick to|redirect\w*|"
    r"steer|beyond (?:your|the|this)|"
    r"stay on topic|general knowledge|decline)\b"
)
_NOT_KNOWN = re.compile(
    r"\b(?:don't know|do not know|cannot find|can't find|can not find|could not find|not find|"
    r"isn't in|is not in|are not in|"
    r"aren't in|not contain\w*|doesn't contain|not (?:covered|found|listed|available|mentioned|"
    r"sure|certain|answered)|no answer|"
    r"unsure|unknown|not have (?:the|that|an|any)|don't have|cannot answer|can't answer|unable to "
    r"answer|no information|"
    r"missing from|nothing (?:is |was )?found|(?:do|does)(?: not|n't) (?:say|answer|mention|cover|tell|"
    r"help|give|hold|know)|silent|no (?:entry|mention|word)|(?:is|are)(?: not|n't) (?:there|among)|"
    r"gives no)\b"
)
_LINKING = re.compile(
    r"^(?:in (?:these|such|those|this|that|any of these|all these|either)\b.*|then\b.*|(?:say|use|"
    r"reply|respond|tell|write|answer|"
    r"do (?:so|this|that)|always|the (?:exact )?(?:words|phrase|sentence|message)|when (?:you do|"
    r"this|that)|to do (?:so|this)|"
    r"by saying|exact(?:ly)?|phrase|for (?:these|this|that|such))\b.*)"
)


def _escalations(directives: list[_Directive], quotes: list[str]) -> tuple[Escalation, ...]:
    found: list[Escalation] = []
    pending: list[Condition] = []
    for directive in _with_their_items(directives):
        if not _about_handing_over(directive, quotes) or _forbids(directive.text):
            continue
        conditions = list(_conditions(directive, quotes))
        phrase = _phrase(directive, quotes)
        if phrase is None:
            pending += conditions
        else:
            # Conditions without words of their own, said before the words, belong to them.
            if not pending and _refers_back(directive.text):
                conditions = list(
                    _conditions(_Directive(directive.before, "", "in these cases", ""), quotes)
                ) + [each for each in conditions if not _LINKING.match(each.text)]
            found.append(Escalation(phrase, tuple(_distinct(pending + conditions))))
            pending = []
    if pending and found:
        widest = max(range(len(found)), key=lambda index: len(found[index].conditions))
        found[widest] = Escalation(
            found[widest].phrase, tuple(_distinct([*found[widest].conditions, *pending]))
        )
    elif pending:
        found.append(Escalation(None, tuple(_distinct(pending))))
    return _merged(found)


def _refers_back(text: str) -> bool:
    """Whether a sentence takes its cases from the one before: "In these cases say ...", "Then ..."."""
    return bool(_IN_THESE_CASES.search(text)) or fold(text).startswith("then ")


def _merged(found: list[Escalation]) -> tuple[Escalation, ...]:
    by_phrase: dict[str | None, list[Condition]] = {}
    for escalation in found:
        by_phrase.setdefault(escalation.phrase, []).extend(escalation.conditions)
    return tuple(Escalation(phrase, tuple(_distinct(conditions))) for phrase, conditions in by_phrase.items())


def _distinct(conditions: list[Condition]) -> list[Condition]:
    return list(dict.fromkeys(conditions))


def _about_handing_over(directive: _Directive, quotes: list[str]) -> bool:
    text = fold(directive.text)
    if _HAND_OVER.search(_MASK.sub(" ", text)):
        return True
    if _names_handing_over(directive.lead):
        return True
    said = [quotes[int(number)] for number in _MASK.findall(directive.text)]
    if not said:
        return False
    if _names_handing_over(directive.heading):
        return True
    if _LINKING.match(text) and _HAND_OVER.search(_MASK.sub(" ", fold(directive.before))):
        return True
    if _GIVEN_AFTER_COLON.search(directive.text) and any(map(_hands_over_in_words, said)):
        return True
    if not _SAY.search(text):
        return False
    of_people = any(_SPEAKS_OF_PEOPLE.search(fold(words)) for words in said)
    in_a_case = bool(re.search(r"\b(?:for|if|when|whenever|in case)\b", text)) and not _OFF_TOPIC.search(text)
    return any(_hands_over_in_words(words) for words in said) or (of_people and in_a_case)


_GIVEN_AFTER_COLON = re.compile(r":\s*⟦")
_OPENS_CASES = re.compile(
    r"\bin (?:exactly |only )?(?:these|the following|any of these|one of these) "
    r"(?:situations|cases|circumstances)\b"
)


def _names_handing_over(heading: str) -> bool:
    return bool(_HAND_OVER.search(fold(heading)))


_WORDS_OF_HANDING_OVER = re.compile(
    r"\b(?:connect(?:ing)? you|transfer(?:ring)? you|hand(?:ing)? (?:you|this|it)|pass(?:ing)? "
    r"(?:you|this|it|your)|"
    r"put(?:ting)? you through|escalat\w+|get(?:ting)? (?:a|an|one of|our|the|someone|you to|you a|somebody)|"
    r"forward\w* (?:you|this|it|your)|bring(?:ing)? in|fetch\w*|(?:a|our|the|one of our|my) (?:\w+ "
    r"){0,3}?(?:team|colleague|human|"
    r"person|agent|specialist|librarian|nurse|advis[oe]r|representative|expert|manager|staff|"
    r"desk)s? (?:\w+ )?(?:will|is going|"
    r"can|takes?|shall)|will (?:contact|call|reach|get back|be in touch|take over|look into))\b"
)


def _hands_over_in_words(words: str) -> bool:
    return bool(_WORDS_OF_HANDING_OVER.search(fold(words)))


def _forbids(text: str) -> bool:
    """Whether the sentence says when *not* to hand over, or only what to offer."""
    return bool(
        _NO_REASON.search(fold(text))
        or re.match(
            r"(?:please )?(?:offer|never|do not|don't|avoid|you must not|there is no need|no need)\b(?! "
            r"(?:try|attempt|guess|hesitate))",
            fold(text),
        )
    )


_NO_REASON = re.compile(
    r"\b(?:no|not an?|isn't an?|never an?) (?:reason|case|ground|matter)s? (?:for|to)\b|"
    r"\bdo not (?:apply|escalate|hand over|transfer)\b"
)


def _phrase(directive: _Directive, quotes: list[str]) -> str | None:
    text = directive.text
    candidates: list[str] = []
    for match in _MASK.finditer(text):
        before = fold(text[: match.start()])
        if _NEVER_SAY.search(before[-60:]):
            continue
        words = quotes[int(match.group(1))]
        handing = bool(_HAND_OVER.search(_MASK.sub(" ", fold(text)))) or bool(
            directive.lead or directive.heading
        )
        said = bool(_SAY.search(before[-60:])) or before.rstrip().endswith(":") or not before.strip()
        of_people = _SPEAKS_OF_PEOPLE.search(fold(words)) or _hands_over_in_words(words)
        if of_people or (said and handing and not _is_about_ignorance(words)):
            candidates.append(words)
    if candidates:
        return max(
            candidates,
            key=lambda words: (_hands_over_in_words(words), bool(_SPEAKS_OF_PEOPLE.search(fold(words)))),
        )
    return _reported_phrase(text)


def _is_about_ignorance(words: str) -> bool:
    return bool(_NOT_KNOWN.search(fold(words))) and not _SPEAKS_OF_PEOPLE.search(fold(words))


_REPORTED = re.compile(
    r"\b(?:say(?:ing)?|tell(?:ing)? (?:them|the \w+|him or her|people)|inform(?:ing)? (?:them|the "
    r"\w+)|state|reply|explain(?:ing)?)"
    r"(?: that)? (?P<words>(?:you|a|an|the|our|one of|someone|somebody)\b[^.;:⟦]{6,160})",
    re.IGNORECASE,
)
_TO_FIRST_PERSON = (
    (r"\byou(?:'ll| will| are going to)\b", "I will"),
    (r"\byou are\b", "I am"),
    (r"\byou\b", "I"),
    (r"\byour\b", "our"),
    (
        r"\b(?:them|they|him|her|the (?:user|customer|client|caller|visitor|member|patient|guest|"
        r"reader|person|student)s?)\b",
        "you",
    ),
    (r"\btheir\b", "your"),
)


def _reported_phrase(text: str) -> str | None:
    """The words behind "say that you will connect them with our team": "I will connect you with our team"."""
    match = _REPORTED.search(text)
    if match is None or not _SPEAKS_OF_PEOPLE.search(fold(match["words"])):
        return None
    words = re.split(
        r",? (?:and (?:then )?(?:call|create|open|use|ask)|if|when|whenever|unless|instead)\b", match["words"]
    )[0]
    for pattern, replacement in _TO_FIRST_PERSON:
        words = re.sub(pattern, replacement, words)
    words = words.strip(" ,*")
    return words[:1].upper() + words[1:] if words else None


_EMPTY = frozenset(
    part
    for word in """
    escalate escalation transfer connect hand handover pass forward refer route say saying phrase words
    reply respond customer user caller visitor member client patient guest reader person human agent
    representative specialist team staff colleague ask asks question case request issue problem matter
    situation complex complicated technical difficult involve involving related requires require need
    needs want wants explicitly conversation always immediately must support exactly verbatim following
    assistant try tries politely whenever somebody euro euros eur usd seem seems instead access system
    systems things some anything dollars pounds gbp apologise apologize mention mentions talk speak
    report reports describe describes concern concerns complaint arise service someone something people
    kind directly write applicant passenger traveler traveller tenant resident subscriber holder owner
    course simply prefer prefers explicit cause caused causes one two three four five six ten twelve
    hour hours day days week weeks month months year years nothing announce announced property item
    items belongings thing goods rather deal dealing
    """.split()
    for part in content_stems(word)
)
_TECHNICAL = re.compile(
    r"\b(?:technical|troubleshoot\w*|bugs?|crash\w*|errors?|malfunction\w*|software|outages?)\b"
)
_AMOUNT = re.compile(
    r"\b(?:over|above|more than|exceed\w*|greater than|larger than|higher than|beyond|at least|from)\s+"
    r"(?:[$€£]|usd|eur|gbp)?\s?(?P<amount>\d[\d,.]*)"
)


def _conditions(directive: _Directive, quotes: list[str]) -> Iterator[Condition]:
    """The cases a sentence names, split at commas and "or"; quoted words and acts aside."""
    text = _REPORTED.sub(" ", _MASK.sub(" ; ", directive.text))
    text = _NUMBERED.sub("; ", fold(_IN_THESE_CASES.sub(" ", text)))
    head, colon, listed = text.partition(":")
    is_list = bool(colon and _telling(listed)) and not _AN_ACT.match(listed.strip())
    if is_list and (_HAND_OVER.search(head) or _OPENS_CASES.search(head) or not _telling(head)):
        text = listed  # what hands over stands before the colon, the cases behind it
    elif colon and _HAND_OVER.search(listed) and not _HAND_OVER.search(head):
        text = head  # the cases stand before it
    parts = _BETWEEN_CASES.split(text)
    if not directive.lead and not directive.heading and text != head:
        parts = _from_the_hand_over_on(parts, listed=text is listed)
    acting: str = ""
    for part in parts:
        # Once an act is named ("... and add the telephone number"), what follows belongs to it, and what
        # a function is called for is its own condition.
        part = part.strip()
        if _AN_ACT.match(part):
            acting = "function" if "_" in part else "words"
        elif acting == "words" and _CASE.match(part):
            acting = ""
        condition = _condition(_ROLE.sub(" ", part))
        if (condition.stems or condition.kinds) and not acting:
            yield condition


def _telling(text: str) -> set[str]:
    """The stems of a piece of instructions that name a case."""
    return set(content_stems(text)) - _EMPTY - generic_stems()


_NUMBERED = re.compile(r"(?:^|\s)\(?(?:\d{1,2}(?:\.\d{1,2})+\)?|[a-h]\)|\d{1,2}\))\s+(?=[a-z])")
_BETWEEN_CASES = re.compile(
    r",\s+(?:or\s+|and\s+)?(?=\D)|;|:|\s+or\s+|"
    r"\s+and\s+(?!(?:has|have|is|are|was|asks?|wants?|needs?|cannot|can't|does|did|still)\b)(?=\w+)|"
    r"—|\s-\s|\(|\)|\s+(?=(?:if|when|whenever|in case)\b)"
)
_IN_THESE_CASES = re.compile(
    r"\b[Ii]n (?:these|such|those|this|that|any of these|all these) cases?\b,?|"
    r"\b[Tt]hen (?:say|reply|write)\b[^.]*"
)
_AN_ACT = re.compile(
    r"(?:and |then |you |please |also )*(?:call|create|open|use|using|say|saying|write|reply|respond|"
    r"answer|arrange|apologi[sz]e|fill|add|give|tell|provide|stop|mention|"
    r"include|note|collect|never|do not|don't|ask for|one more)\b"
)
_CASE = re.compile(r"(?:for|if|when|whenever|in case|should|as soon as|once|any|where|only)\b")


def _from_the_hand_over_on(parts: list[str], *, listed: bool) -> list[str]:
    """Without the other duties, or the hand-over itself, that stand before the cases in one sentence."""
    cases = [index for index, part in enumerate(parts) if _CASE.match(part.strip())]
    handing = [index for index, part in enumerate(parts) if _HAND_OVER.search(part)]
    if listed:
        return parts[cases[0] :] if cases and handing and handing[0] < cases[0] else parts
    return parts[min([*cases, *handing], default=0) :]


def _condition(part: str) -> Condition:
    folded = fold(part)
    amount = _AMOUNT.search(folded)
    value = (
        float(amount["amount"].replace(",", "").rstrip("."))
        if amount and _is_number(amount["amount"])
        else None
    )
    stems = frozenset(content_stems(_AMOUNT.sub(" ", folded))) - _EMPTY - generic_stems()
    kinds = frozenset(name for name, (pattern, _) in KINDS.items() if pattern.search(folded))
    if stems and not _TECHNICAL.search(folded):
        kinds -= {"technical"}  # "billing problems" are about bills
    stems = frozenset(made for made in stems if not made[:1].isdigit())
    named = {
        made for kind in kinds for found in KINDS[kind][0].findall(folded) for made in content_stems(found)
    }
    return Condition(" ".join(part.split()), stems, kinds, value, stems - named)


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"\d[\d,]*(?:\.\d+)?\.?", text))


def _roles(directives: list[_Directive], quotes: list[str]) -> tuple[str, ...]:
    """Whom users may ask for: the general words, and nouns the instructions hand over to."""
    named: dict[str, None] = {}
    for directive in directives:
        if not _about_handing_over(directive, quotes):
            continue
        texts = [directive.text, *(quotes[int(number)] for number in _MASK.findall(directive.text))]
        for match in (found for text in texts for found in _ROLE.finditer(_MASK.sub(" ", fold(text)))):
            named.setdefault(match["role"].rstrip("s"), None)
        for match in (found for text in texts[1:] for found in _WHO_COMES.finditer(fold(text))):
            named.setdefault(match["role"], None)
    return tuple(named)


_WHO_COMES = re.compile(
    r"\b(?:a|an|one of our|our) (?P<role>[a-z-]{4,20}?)s? (?:of ours )?(?:will|is going to|can|"
    r"shall|takes?)\b"
)
_ROLE = re.compile(
    r"\b(?:to|with|for|through to|a|an|our|the|your|one of our) (?:a |an |the |our |your )?"
    r"(?P<role>(?:[a-z-]+ )?(?:librarians?|nurses?|doctors?|advis[oe]rs?|pharmacists?|technicians?|"
    r"engineers?|desk|team|"
    r"colleagues?|specialists?|managers?|supervisors?|staff|consultants?|clerks?|bankers?|"
    r"receptionists?|office|crew|"
    r"representatives?|agents?|experts?|teachers?|tutors?|counsell?ors?|officers?|concierge|department))\b"
)


# --- scope ----------------------------------------------------------------------------------------


def _scope(directives: list[_Directive], quotes: list[str]) -> Iterator[str]:
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


def _topics(directives: list[_Directive], company: str | None) -> str | None:
    for pattern in _TOPIC_PATTERNS:
        for directive in directives:
            text = _MASK.sub(" ", directive.text)
            if _OFF_TOPIC.search(fold(text)) and not re.search(r"\bonly\b|stick to", fold(text)):
                continue
            if _forbids(text) or _HAND_OVER.search(fold(text)):
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
    directives: list[_Directive],
    quotes: list[str],
    subject: re.Pattern[str],
    escalations: tuple[Escalation, ...],
) -> str | None:
    """Quoted words in a sentence about this subject that are not an escalation phrase."""
    taken = {escalation.phrase for escalation in escalations}
    for directive in directives:
        context = directive.text if _MASK.search(directive.text) else ""
        about = fold(f"{directive.lead} {context}")
        if not subject.search(_MASK.sub(" ", about)) and not (
            _LINKING.match(fold(context)) and subject.search(_MASK.sub(" ", fold(directive.before)))
        ):
            continue
        for match in _MASK.finditer(context):
            words = quotes[int(match.group(1))]
            before = fold(context[: match.start()])[-60:]
            said = _SAY.search(before) or before.rstrip().endswith(":")
            if words not in taken and len(words.split()) > 2 and said and not _NEVER_SAY.search(before):
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


def _forbidden(directives: list[_Directive]) -> Iterator[Condition]:
    for directive in directives:
        match = _FORBIDDEN.search(fold(directive.text))
        if match is None or _META.search(match["what"]):
            continue
        what = re.split(r"\bbut\b|\binstead\b", match["what"])[0]
        for part in re.split(r",\s*(?:or\s+|and\s+)?|\s+(?:or|and)\s+", what):
            condition = _condition(re.sub(r"\badvice\b", " ", part))
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


def _edge(directives: list[_Directive], quotes: list[str], pattern: re.Pattern[str]) -> str | None:
    for directive in directives:
        text = fold(directive.text)
        match = _MASK.search(directive.text)
        if match and pattern.search(text) and not _HAND_OVER.search(_MASK.sub(" ", text)):
            return quotes[int(match.group(1))]
    return None


_IDENTIFIER = re.compile(r"[A-Za-z]+(?:_[A-Za-z]+)+|[a-z]+(?:[A-Z][a-z]+)+")


def _calls(directives: list[_Directive], quotes: list[str]) -> Iterator[str]:
    for directive in directives:
        if _about_handing_over(directive, quotes):
            quoted = [quotes[int(number)] for number in _MASK.findall(directive.text)]
            yield from _IDENTIFIER.findall(directive.text)
            yield from (words for words in quoted if _IDENTIFIER.fullmatch(words))


_ADD = re.compile(
    r"⟧.{0,20}?\b(?:add|give|mention|include|tell (?:them|him or her))\s+(?P<what>(?:the|our|your|"
    r"them the)\s[^.;⟦]{3,120})",
    re.DOTALL,
)


def _adds(directives: list[_Directive], quotes: list[str]) -> str | None:
    """What is wanted beside the words: "say '...' and add the telephone number of the desk"."""
    for directive in directives:
        match = _ADD.search(directive.text)
        if match and _about_handing_over(directive, quotes):
            return " ".join(match["what"].split())
    return None


_FAILS = re.compile(
    r"\b(?:could not|couldn't|cannot|can't|can not|fails?|failed|unavailable|does not work|not "
    r"possible|errors?|refused|rejected|(?:not|n't) go through|goes wrong|declined by)\b"
)
_REACHED = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+|https?://[^\s)>,]+[\w/]|\+?\d[\d ()/-]{5,}\d")


def _other_ways(directives: list[_Directive]) -> Iterator[str]:
    """Where else people can turn, in sentences about what to do when something fails."""
    for directive in directives:
        if _FAILS.search(fold(directive.text)):
            yield from _REACHED.findall(directive.text)


_TELLS_INSTEAD = re.compile(
    r"\b(?:give|mention|point (?:them |him |her )?to|offer|tell (?:them|the \w+)|say)\s+(?:that )?"
    r"(?P<what>[^.;⟦]{8,200})"
)


def _instead(directives: list[_Directive]) -> str | None:
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


def _elsewhere(directives: list[_Directive]) -> Iterator[tuple[Condition, str]]:
    """What people are to take elsewhere: "if somebody asks for their status, point to the portal"."""
    for directive in directives:
        match = _POINTS_TO.search(fold(directive.text))
        condition = _condition(match["case"]) if match else None
        if match and condition and condition.stems and not _FAILS.search(match["case"]):
            yield condition, match["where"].strip()
