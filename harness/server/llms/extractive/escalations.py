"""When the instructions have the assistant hand over to people, and with which words."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec
from msgspec.structs import replace

from harness.server.llms.extractive.directives import MASK, Directive
from harness.server.llms.extractive.lexicon import KINDS, generic_stems
from harness.text import content_stems, fold


class Condition(msgspec.Struct, frozen=True):
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


class Escalation(msgspec.Struct, frozen=True):
    """A way of handing over to people: the words to say (None when none are prescribed) and when."""

    phrase: str | None
    conditions: tuple[Condition, ...]


def _with_their_items(directives: list[Directive]) -> list[Directive]:
    """The directives; the items of a list about handing over are one with the words that open it."""
    found: list[Directive] = []
    for directive in directives:
        hands_over = _names_handing_over(f"{directive.heading} {directive.lead}")
        opened = found[-1] if found and directive.lead and hands_over else None
        if opened and opened.text.startswith(directive.lead):
            mark = ":" if opened.text == directive.lead.rstrip() and opened.text[-1] != ":" else ""
            found[-1] = replace(opened, text=f"{opened.text}{mark} {directive.text.rstrip('.,;')};")
        else:
            found.append(directive)
    return found


_PEOPLE = (
    r"(?:humans?(?: being)?|colleague|person|representative|agent|specialist|supervisor|operator|employee|"
    r"advis[oe]r|officer|nurse|librarian|receptionist|manager|expert|technician|member of staff)s?"
)
HAND_OVER = re.compile(
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
SAY = re.compile(
    r"\b(?:say|says|saying|said|reply|replying|respond|responding|answer|write|writing|tell|"
    r"telling|use|using|words?|phrase|"
    r"sentence|message|state|stating|announce|with|exactly|verbatim|inform\w*)\b"
)
NEVER_SAY = re.compile(
    r"\b(?:never|do not|don't|avoid|must not|not)\s+(?:\w+\s+){0,2}?(?:say|use|write|promise|answer|reply)"
)
OFF_TOPIC = re.compile(
    r"\b(?:off[- ]?topic|unrelated|outside (?:of )?(?:your|this|that|these|the|our) (?:scope|area|"
    r"topic|subject|domain|remit)\w*|"
    r"out of scope|other (?:topics|subjects|questions|matters|things)|anything else|irrelevant|not "
    r"(?:about|related)|"
    r"nothing to do with|only (?:answer|help|discuss|talk|assist|respond)|stick to|redirect\w*|"
    r"steer|beyond (?:your|the|this)|"
    r"stay on topic|general knowledge|decline)\b"
)
NOT_KNOWN = re.compile(
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
LINKING = re.compile(
    r"^(?:in (?:these|such|those|this|that|any of these|all these|either)\b.*|then\b.*|(?:say|use|"
    r"reply|respond|tell|write|answer|"
    r"do (?:so|this|that)|always|the (?:exact )?(?:words|phrase|sentence|message)|when (?:you do|"
    r"this|that)|to do (?:so|this)|"
    r"by saying|exact(?:ly)?|phrase|for (?:these|this|that|such))\b.*)"
)


def escalations_in(directives: list[Directive], quotes: list[str]) -> tuple[Escalation, ...]:
    """The ways of handing over, in the order of the instructions."""
    found: list[Escalation] = []
    pending: list[Condition] = []
    for directive in _with_their_items(directives):
        if not about_handing_over(directive, quotes) or forbids(directive.text):
            continue
        conditions = list(_conditions(directive, quotes))
        phrase = _phrase(directive, quotes)
        if phrase is None:
            pending += conditions
        else:
            # Conditions without words of their own, said before the words, belong to them.
            if not pending and _refers_back(directive.text):
                conditions = list(
                    _conditions(Directive(directive.before, "", "in these cases", ""), quotes)
                ) + [each for each in conditions if not LINKING.match(each.text)]
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


def about_handing_over(directive: Directive, quotes: list[str]) -> bool:
    """Whether a sentence, or what it hangs from, speaks of handing over to people."""
    text = fold(directive.text)
    if HAND_OVER.search(MASK.sub(" ", text)):
        return True
    if _names_handing_over(directive.lead):
        return True
    said = [quotes[int(number)] for number in MASK.findall(directive.text)]
    if not said:
        return False
    if _names_handing_over(directive.heading):
        return True
    if LINKING.match(text) and HAND_OVER.search(MASK.sub(" ", fold(directive.before))):
        return True
    if _GIVEN_AFTER_COLON.search(directive.text) and any(map(_hands_over_in_words, said)):
        return True
    if not SAY.search(text):
        return False
    of_people = any(_SPEAKS_OF_PEOPLE.search(fold(words)) for words in said)
    in_a_case = bool(re.search(r"\b(?:for|if|when|whenever|in case)\b", text)) and not OFF_TOPIC.search(text)
    return any(_hands_over_in_words(words) for words in said) or (of_people and in_a_case)


_GIVEN_AFTER_COLON = re.compile(r":\s*⟦")
_OPENS_CASES = re.compile(
    r"\bin (?:exactly |only )?(?:these|the following|any of these|one of these) "
    r"(?:situations|cases|circumstances)\b"
)


def _names_handing_over(heading: str) -> bool:
    return bool(HAND_OVER.search(fold(heading)))


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


def forbids(text: str) -> bool:
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


def _phrase(directive: Directive, quotes: list[str]) -> str | None:
    text = directive.text
    candidates: list[str] = []
    for match in MASK.finditer(text):
        before = fold(text[: match.start()])
        if NEVER_SAY.search(before[-60:]):
            continue
        words = quotes[int(match.group(1))]
        handing = bool(HAND_OVER.search(MASK.sub(" ", fold(text)))) or bool(
            directive.lead or directive.heading
        )
        said = bool(SAY.search(before[-60:])) or before.rstrip().endswith(":") or not before.strip()
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
    return bool(NOT_KNOWN.search(fold(words))) and not _SPEAKS_OF_PEOPLE.search(fold(words))


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


def _conditions(directive: Directive, quotes: list[str]) -> Iterator[Condition]:
    """The cases a sentence names, split at commas and "or"; quoted words and acts aside."""
    text = _REPORTED.sub(" ", MASK.sub(" ; ", directive.text))
    text = _NUMBERED.sub("; ", fold(_IN_THESE_CASES.sub(" ", text)))
    head, colon, listed = text.partition(":")
    is_list = bool(colon and _telling(listed)) and not _AN_ACT.match(listed.strip())
    if is_list and (HAND_OVER.search(head) or _OPENS_CASES.search(head) or not _telling(head)):
        text = listed  # what hands over stands before the colon, the cases behind it
    elif colon and HAND_OVER.search(listed) and not HAND_OVER.search(head):
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
        condition = condition_in(_ROLE.sub(" ", part))
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
    handing = [index for index, part in enumerate(parts) if HAND_OVER.search(part)]
    if listed:
        return parts[cases[0] :] if cases and handing and handing[0] < cases[0] else parts
    return parts[min([*cases, *handing], default=0) :]


def condition_in(part: str) -> Condition:
    """The case that a part of a sentence names."""
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


def roles_in(directives: list[Directive], quotes: list[str]) -> tuple[str, ...]:
    """Whom users may ask for: the general words, and nouns the instructions hand over to."""
    named: dict[str, None] = {}
    for directive in directives:
        if not about_handing_over(directive, quotes):
            continue
        texts = [directive.text, *(quotes[int(number)] for number in MASK.findall(directive.text))]
        for match in (found for text in texts for found in _ROLE.finditer(MASK.sub(" ", fold(text)))):
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
