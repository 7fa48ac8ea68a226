"""What a message says about handing over to a person: its acts, each with the words that show it.

A sentence is read in steps: find every mention of a hand-over or of contacting people; find who governs it
(the last subject or modal before it in its clause: I, you, "would you like me to", "unable to"); the two
give the act. Conditions and questions turn a promise into an offer, reports and quotations into nothing.
Of several acts the strongest counts: promises, offers, recommends, refuses, none. A promise that still waits
for the user's consent ("I'll transfer you. Is that okay?") is an offer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Literal, cast

import msgspec
from msgspec.structs import replace

from harness.scorers import handover_words as words
from harness.scorers import wording
from harness.text import Span, late

Stance = Literal["none", "refuses", "recommends", "offers", "promises"]
Governor = Literal["asked", "refused", "able", "unreal", "committed", "told", "other", "alone"]

RANK: dict[Stance, int] = {"none": 0, "refuses": 1, "recommends": 2, "offers": 3, "promises": 4}


class Act(msgspec.Struct, frozen=True):
    """One mention of a hand-over in a sentence.

    Attributes:
        stance: How it is meant.
        words: The words that name it, in the form that the rules read.
        own: Whether the assistant itself acts; False where people are said to act ("an agent will call").
        pending: Whether it is still to come, so that the user may yet be asked for consent.
    """

    stance: Stance
    words: str
    own: bool = True
    pending: bool = False


NOTHING = Act("none", "")


def strongest(acts: Iterable[Act]) -> Act:
    """The act that counts among several; the first of equals."""
    return max(acts, key=lambda act: RANK[act.stance], default=NOTHING)


def act_of(text: str) -> Act:
    """The act of a whole message: the strongest of its sentences."""
    return strongest(act for _, act in acts_in(text))


def acts_in(text: str) -> list[tuple[Span, Act]]:
    """Each sentence of a message with its act; what waits for the user's consent is offered, not promised."""
    spans = wording.sentences_of(text)
    acts = [strongest(acts_of(span.text)) for span in spans]
    acts = _choices(spans, acts)
    done = any(act.stance == "promises" and not act.pending for act in acts)
    return list(zip(spans, acts if done else _after_consent(spans, acts), strict=True))


_ITEM = late(r"\s*(?:[-*•–▪◦]|\(?\d{1,3}[.)])\s+")
_WHICH = late(
    r"\b(?:which|what|how) (?:of these |one |option |would |do )*(?:would you|do you|you would|you|"
    r"works?)\b.*"
    r"\b(?:like|prefer|want|choose|proceed|best|rather)\b|\b(?:tell me|let me know)\b.*\b(?:which|what|how)\b"
)


def _choices(spans: Sequence[Span], acts: Sequence[Act]) -> list[Act]:
    """The acts, where a list item that the user may choose ("Speak with an agent") is an offer."""
    if not any(_WHICH.search(words.clausal(span.text)) for span in spans):
        return list(acts)
    return [
        replace(act, stance="offers") if _is_choice(span.text, act) else act
        for span, act in zip(spans, acts, strict=True)
    ]


def _is_choice(sentence: str, act: Act) -> bool:
    if act.stance == "recommends":
        return bool(_ITEM.match(sentence))
    return act.stance == "promises" and bool(re.search(r"\bor\b", words.clausal(sentence)))


def _after_consent(spans: Sequence[Span], acts: Sequence[Act]) -> list[Act]:
    if not any(act.pending and act.stance == "promises" for act in acts):
        return list(acts)
    return [
        replace(act, stance="offers") if act.pending and act.stance == "promises" and waits else act
        for act, waits in zip(acts, _wait_for_yes(spans, acts), strict=True)
    ]


def _wait_for_yes(spans: Sequence[Span], acts: Sequence[Act]) -> list[bool]:
    """For each sentence whether it or a later one asks the user to agree, with no other proposal between."""
    waits, found = False, []
    for span, act in zip(reversed(spans), reversed(acts), strict=True):
        if asks_consent(span.text):
            waits = True
        elif act.stance == "none" and proposes(span.text):
            waits = False
        found.append(waits)
    return found[::-1]


def proposes(sentence: str) -> bool:
    """Whether a sentence says that the assistant would do something."""
    return bool(_PROPOSES.search(words.clausal(sentence)))


def asks_consent(sentence: str) -> bool:
    """Whether a sentence asks the user to agree to what was said before, and to nothing else."""
    return bool(_CONSENT.search(words.clausal(sentence)))


_PROPOSES = late(r"\b(?:i|we) (?:will|can|could|would|need|must|am going)\b|\blet me\b(?! know)")
_THAT = r"(?= *$| *\||(?: ahead)?(?: with)? (?:that|this|it|the (?:transfer|escalation|hand-?over|ticket))\b)"
_CONSENT = late(
    r"\b(?:is|are|would|does) (?:that|this|it|you) (?:be )?(?:ok|okay|all ?right|alright|fine|acceptable|"
    r"good|"
    r"agreeable|suit|work|sound|comfortable)\b|"
    r"\b(?:would you (?:like|want|prefer|mind)|do you (?:want|wish)|shall i|should i|may i|can i|want)"
    r"(?: (?:for )?me)?(?: to)? (?:proceed|go ahead|continue|do (?:that|so|this|it)|start|initiate)\b"
    + _THAT
    + r"|"
    r"^(?:shall|may|should|can) (?:i|we)$|\bdo you (?:agree|confirm|consent|accept)\b|"
    r"\bhow would you like (?:me )?to proceed\b|"
    r"\b(?:please|just) (?:confirm|say yes|reply yes|let me know (?:if|whether))\b|\byes no\b|"
    r"\bif (?:that is|you are) (?:ok|okay|fine|alright)\b|\bdo i have your (?:permission|consent)\b"
)


@lru_cache(maxsize=8_192)
def acts_of(sentence: str) -> tuple[Act, ...]:
    """Every act of one sentence, in no particular order."""
    text, question = words.clausal(sentence), wording.is_question(sentence)
    return (
        *_moves(text, question),
        *_talks(text, question),
        *_passives(text, question),
        *_people_act(text, question),
        *(Act("offers", match.group()) for match in words.OFFERED.finditer(text)),
        *(Act("recommends", match.group()) for match in words.ADVICE.finditer(text) if not question),
        *(Act("refuses", match.group()) for match in words.REFUSALS.finditer(text)),
    )


# --- who governs it ------------------------------------------------------------------------------------

_ADVERBS = r"(?: (?:\w+ly|just|also|now|already|then|still|always|therefore|instead|first|next))*"
_GOVERNORS = late(
    "|".join(
        (
            r"(?P<unreal>\b(?:would|could|should) have \w+ed\b|\bif (?:i|we) had\b|"
            r"\b(?:i|we) would have\b(?! to\b)|\b(?:i|we) (?:was|were)\b(?! (?:able|going)))",
            r"(?P<asked>\b(?:what|how) about\b|\bhow (?:does|would)(?= an?\b)|"
            r"\b(?:would|is|will) it (?:be )?(?:ok|okay|fine|all right|alright|useful|helpful|"
            r"acceptable)(?: for you)? "
            r"(?:to|if (?:i|we))\b|\b(?:ready|okay|ok|fine|alright) for (?:me|us) to\b|"
            r"\bperhaps(?= an?\b)|\b(?:you (?:can|could|may) (?:always |also |just |simply )*)?(?:ask|"
            r"tell) me to\b|"
            r"\byou would rather\b|\bhave (?:me|us)\b|"
            r"\b(?:would|do) you (?:still |really |instead )?(?:like|want|prefer|wish|rather|mind|need)\b|"
            r"\b(?:would you be|are you) (?:open|happy|okay|ok|fine|willing|comfortable|interested)\b|"
            r"\b(?:shall|should|"
            r"may|can|"
            r"could|might) (?:i|we)\b|\b(?:like|want|wish|prefer|rather|need) (?:for )?(?:me|us)\b|"
            r"^want\b|"
            r"\b(?:i|we) should\b|\byou (?:would like|want|wish|would prefer|would rather|prefer|like) "
            r"(?:to\b|that i\b)|\bshould you (?:wish|want|need|prefer) to\b|\bwould $)",
            rf"(?P<refused>\b(?:not|no|nobody|no one|nothing)(?: [\w'-]+){{0,3}}? (?:that )?"
            r"(?:i|we) (?:can|could)\b|\bnot something (?:that )?(?:i|we) (?:would|will|am|are|do)\b|"
            r"\bagainst (?:our|the|company|my) (?:[\w'-]+ )?(?:policy|policies|rules?)(?: to| for me to)?\b|"
            r"\b(?:and|so|but) (?:cannot|will not|may not|must not)\b|"
            r"\byou (?:will|would) not be able to\b|"
            rf"\b(?:i|we){_ADVERBS}(?: [\w'-]+){{0,2}}? (?:cannot|not|never|unable|no|neither)\b"
            r"(?:(?: [\w'-]+){0,3}? (?:able|ability|way|option|means|position|permission|permitted|allowed|"
            r"authori[sz]ed|possible|free) (?:to|of)\b)?|"
            r"\b(?:not|nor) (?:be )?(?:possible|allowed|able|permitted|authori[sz]ed|allow|let|"
            r"something)\b(?: "
            r"(?:to|of|for))*|"
            r"\b(?:impossible|unable|cannot let you)\b|\bno (?:way|option|need|possibility|reason)\b|"
            r"\byou (?:cannot|may not)\b)",
            rf"(?P<able>\b(?:i|we){_ADVERBS} (?:can|could|may|might|would)\b(?! like to\b)|"
            r"\b(?:able|happy|glad|pleased|willing|ready|free(?<!feel free)|delighted|pleasure|option|"
            r"ability) "
            r"(?:to|of)\b|"
            r"\b(?:step|option|alternative|choice|way)s? (?:would be|is|are|would have been) (?:to|that "
            r"(?:i|we))\b)",
            rf"(?P<committed>\b(?:i|we)\b{_ADVERBS}(?: (?:will|shall|am|are|have|had|need|must|want|hereby|"
            rf"would like)\b)?"
            r"|\blet (?:me|us)\b(?! know)|\ballow me\b|\bgive me (?:an?|one|just) (?:[\w'-]+ )?(?:moment|"
            r"second|minute)s?\b|\band (?:need|have|must) to\b)",
            r"(?P<told>\bwhy not\b|\b(?:use|open|tap|click|visit) (?:on )?(?:the|our|this) [^|,]{1,40}? "
            r"to\b|\b(?:good|great|sensible|wise|safe) (?:idea|thing|practice) (?:is )?to\b|"
            r"\b(?:can|may|must|could) (?:only |also )?be \w+ (?:only )?by\b|"
            r"\b(?:recommend|advise|urge|encourage|ask) (?:all |our )?(?:users|customers|guests|members|"
            r"patients|"
            r"passengers|clients|travell?ers|tenants|people|anyone|everyone)\b(?: to)?|"
            r"\b(?:quickest|fastest|best|easiest|simplest|surest|only|right|usual) way (?:\w+ )?(?:is|would "
            r"be)(?: to)?\b|\bhave you (?:tried|considered|thought (?:of|about))\b|"
            r"\b(?:users?|customers?|guests?|members|patients?|passengers?|clients|travell?ers|tenants?)"
            r"(?: [\w'-]+){0,6}? (?:should|must|need to|have to|ought to|are (?:asked|advised) to)\b|"
            r"\byour (?:[\w'-]+ ){0,2}?(?:bet|option|choice|step|way)s? (?:is|would be|will "
            r"be)\b(?: to)?|"
            r"\b(?:recommend|suggest|advi[sc]e|urge|encourage|best|better|important)(?: that| if)? "
            r"you\b(?: to)?|"
            r"\byou (?:will|may|might|would|should)(?: only| also)? be able to\b|"
            r"\byou (?:can|could|should|may|might|must|need|have to|will (?:need|have|want)|would|ought|"
            r"are (?:welcome|free|advised)|will find)\b(?! not\b)|\b(?:can|could) you\b|"
            r"\b(?:please|kindly|recommend|suggest|suggestion|advi[sc]e|urge|encourage|consider|try|"
            r"hesitate|feel "
            r"free|help to|make sure|be sure|best|better|wise|worth|advisable|helpful|person|way|place|"
            r"right)\b(?= |$))",
            r"(?P<other>\byou (?:were|are|did) (?:right|wise|well|correct) to\b|\b(?:understand|see|hear|"
            r"know|realize|appreciate|noted|looks like|seems|sounds "
            r"like)(?: that)? you\b"
            r"(?: would like| would rather| would prefer| want| wish| need| prefer| requested| asked)?(?: "
            r"to)?|"
            r"\byou (?:do|did|should|need|must|would|will) not(?: have| need| want)?\b|\b(?:you|"
            r"he|she|they|who|which|users?|customers?|people|admins?|visitors?|passengers?|"
            r"instead of|rather than|without|how to|thanks? for|thank you for|not have to)\b)",
        )
    )
)
_CUT = late(
    r".*(?:\||\bbut\b|\bhowever\b|\btherefore(?= i\b| we\b| let\b| ,)|"
    r"\bso (?=i\b|we\b|let\b)|\bso$|\bbecause (?=i\b|we\b)|"
    r"\bsince (?=i\b|we\b))",
    re.DOTALL,
)
_REPORTED = late(
    r"\b(?:you|he|she|they|it|e-?mail|letter|message|agent|colleague|page|word|notes?|someone|who)"
    r"(?: [\w'-]+)? (?:said|told|says|say|mentioned|wrote|promised|asked|claimed|reads|explained|was told)\b"
)
_CONDITION_BEFORE = late(
    r"(?<!even )(?<!see )(?<!check )(?<!know )(?<!as )(?<!ask )(?<!wonder )(?<!sure )(?<!tell )(?<!examine "
    r")\bif\b|"
    r"\b(?:with your (?:permission|consent|agreement|approval|ok|okay)|should (?:you|the|this|it|that)|"
    r"in case|unless|once you|once (?:i|we)\b|when you are ready|"
    r"whenever|"
    r"as soon as (?:you|i|we)|provided (?:that )?you|let me know|(?:just )?(?:say|tell me|give me) (?:the "
    r"word|yes|"
    r"so|[\w'-]+ (?:at any time|any time|anytime|whenever|and))|just (?:say|tell me)|reply (?:yes|with|and)|"
    r"you (?:may|can|could) (?:always |also )?(?:ask|say|tell|request)|confirm (?:and|that|this)|otherwise|"
    r"alternatively|(?:type|press|enter|click|tap)"
    r" [^|,]+? (?:and|then) (?=(?:i|we|our|an?)\b)|after (?:you|i|we)|until (?:you|i|we)|before (?:i|"
    r"we)|"
    r"when (?:i|we))\b"
)
_CONDITION_AFTER = late(
    r"\b(?:(?<!check )(?<!see )(?<!out )(?<!ask )(?<!know )(?<!tell )(?<!sure )(?<!verify )(?<!confirm )"
    r"(?<!decide )(?<!review )(?<!examine )(?<!investigate )(?<!assess )(?<!determine )if|"
    r"should (?:you|the|it|this|"
    r"that) |in case you|once you|unless|when(?:ever)? you (?:are ready|like|want|wish)|upon (?:your "
    r")?(?:request|"
    r"confirmation)|on request|as soon as you|whenever you)\b"
)


def _governor(text: str, start: int) -> tuple[Governor, str]:
    """Who or what governs a mention that starts at a place, and the words from there to the mention."""
    clause = _clause(text, start)
    if _reported(clause):
        return "other", clause
    last = None
    for match in _GOVERNORS.finditer(clause):
        last = match
    if last is None or (_named(last) == "other" and _IF_CLAUSE.match(clause)):
        return "alone", clause
    return _named(last), clause[last.start() :]


_IF_CLAUSE = late(
    r"(?:if|when|whenever|once|in case|should|for|to|about|regarding)\b[^|]* , (?:please |then |first |do )?$"
)


def _reported(clause: str) -> bool:
    """Whether someone is said to have said it; "you asked for a person, I'm ..." goes on by itself."""
    last = clause.rpartition(" , ")[2]
    return bool(
        _REPORTED.search(last) or (_REPORTED.search(clause) and not re.search(r"\b(?:i|we|let)\b", last))
    )


def _named(match: re.Match[str]) -> Governor:
    return cast("Governor", match.lastgroup)


def _clause(text: str, end: int) -> str:
    before = text[:end]
    cut = _CUT.match(before)
    return before[cut.end() :] if cut else before


def _conditional(text: str, start: int, end: int) -> bool:
    after = text[end:].partition("|")[0] if " if " not in text[end:] else text[end:]
    return bool(_CONDITION_BEFORE.search(_clause(text, start)) or _CONDITION_AFTER.search(after))


# --- the assistant hands over --------------------------------------------------------------------------

_CLAUSE_STARTS = late(
    r"(?:^|\||,|\b(?:then|just|simply|directly|or|and|either|so|now|okay|ok|alright|right|done|great|sure|"
    r"unfortunately|instead|sorry|yes|no)|(?:^|\||,|\bso|\band) ?do) ?$"
)
_WANTS_ASKING: frozenset[str] = frozenset({"committed", "able", "asked"})
_MOVE_STANCES: dict[Governor, Stance] = {
    "asked": "offers",
    "refused": "refuses",
    "able": "offers",
    "unreal": "none",
    "committed": "promises",
    "told": "recommends",
    "other": "none",
}
_OPENING = late(
    r"^(?:(?:\d+|then|so|now|okay|ok|alright|all right|right|done|great|sure|thanks|thank you|understood|"
    r"please hold|"
    r"one moment(?: please)?|yes)[ ,|]*)*$"
)
_WOULD_BE = late(r"^[^|,]*\b(?:would|could|may|might|can) (?!not\b)(?:be|help|make)\b")
_AS_SUBJECT = late(r"^[^|,]*\b(?:would|will|is|may|might|could|does|did|can)\b")


def _moves(text: str, question: bool) -> Iterator[Act]:
    for match in words.MOVES.finditer(text):
        governor, led = _governor(text, match.start())
        stance = _stance_alone(text, match) if governor == "alone" else _MOVE_STANCES[governor]
        if stance == "recommends" and re.search(r"\byou\b", match.group()):
            stance = "offers" if re.match(r"recommend|suggest|advi[sc]e|best", led) else "none"
        if question and governor in _WANTS_ASKING:
            stance = "offers"
        if _names_a_thing(text, match) or (stance == "promises" and _is_history(text, match)):
            stance = "none"
        act = Act(stance, match.group(), pending=_is_pending(led))
        yield act if _is_done(led) and not act.pending else _weighed(act, text, match)


def _names_a_thing(text: str, match: re.Match[str]) -> bool:
    """Whether the verb is none: "two open tickets", "your report to the team"."""
    return bool(_IS_NOUN.match(match.group()) and _DETERMINER.search(text[: match.start()]))


def _is_history(text: str, match: re.Match[str]) -> bool:
    """Whether it is told of the past, over and done with: "was escalated in March", "last week"."""
    after = text[match.end() :].partition(" | ")[0]
    dated = "subject" in match.re.groupindex and _DATED.match(after)  # of passives, not of moves
    return bool(dated or _LONG_AGO.match(after) or _ONCE.search(_clause(text, match.start())))


def _is_done(led: str) -> bool:
    """Whether the assistant has done it already: a condition that follows is about something else."""
    return bool(re.match(r"(?:i|we)\b.*\b(?:have|had)\b(?! to)", led))


_IS_NOUN = late(r"(?:open|report|file|log|flag|link)\b")
_DETERMINER = late(
    r"\b(?:an?|the|your|my|our|his|her|their|this|that|these|those|no|any|some|several|all|other|more|"
    r"one|two|three|four|five|six|\d+) $"
)
_MONTHS = (
    r"(?:january|february|march|april|may|june|july|august|september|october|november|december|"
    r"(?:mon|tues|wednes|thurs|fri|satur|sun)day)"
)
_LONG_AGO = late(
    r"(?: [\w'-]+){0,5}? (?:yesterday\b|"
    r"last (?:week|month|year|night|time|[\w]+day)\b|[\w'-]+ (?:days?|weeks?|months?|years?) ago\b|"
    r"and (?:was |has been |is )?(?:since )?(?:closed|resolved|settled|declined|rejected)\b)"
)
_DATED = late(rf"(?: [\w'-]+){{0,5}}? (?:in|on) (?:(?:\d+ )?{_MONTHS}|\d{{4}})\b")
_ONCE = late(r"\b(?:yesterday|last (?:week|month|year|night|time|[\w]+day)|(?:days?|weeks?|months?) ago)\b")


def _weighed(act: Act, text: str, match: re.Match[str]) -> Act:
    """An act after its conditions: what happens only if something else does is offered, not promised."""
    if act.stance == "promises" and _conditional(text, match.start(), match.end()):
        return replace(act, stance="offers")
    return act


def _is_pending(led: str) -> bool:
    return bool(re.search(r"\b(?:will|shall|need|must|would|have to|let|going|want|allow)\b", led))


def _stance_alone(text: str, match: re.Match[str]) -> Stance:
    """Without a subject: "Transferring you" is done now, "Transfer you" in a list is a choice."""
    verb = match.group().split()[0]
    clause = _clause(text, match.start())
    if verb.endswith(("ing", "ed")) or verb in {
        "sent",
        "brought",
        "the",
        "your",
        "a",
        "an",
        "my",
        "our",
        "ticket",
    }:
        after = text[match.end() :]
        if _WOULD_BE.match(after) and re.search(r"\byou\b", match.group()):
            return "offers"
        done = _OPENING.match(clause) and not _AS_SUBJECT.match(after)
        return "promises" if done else "none"
    if not _CLAUSE_STARTS.search(clause) or re.search(r"[^s]s$", verb):  # "transfers to people" is a noun
        return "none"
    return "offers" if re.search(r"\byou\b", match.group()) else "recommends"


# --- contacting people ---------------------------------------------------------------------------------

_TALK_STANCES: dict[Governor, Stance] = {**_MOVE_STANCES, "committed": "none"}


def _talks(text: str, question: bool) -> Iterator[Act]:
    for match in words.TALKS.finditer(text):
        governor, led = _governor(text, match.start())
        if governor == "asked" and not question and _is_known_wish(text, match, led):
            stance: Stance = "none"
        elif governor == "alone":
            imperative = (
                not match.group("told")
                and _CLAUSE_STARTS.search(_clause(text, match.start()))
                and _is_base(match.group("verb"))
            )
            stance = "recommends" if imperative and not question else "none"
        elif governor == "committed" and _SENDS_FOR.match(match.group()):
            stance = "promises" if _TO_HELP.match(text[match.end() :]) else "none"
        elif governor == "refused":
            stance = "refuses" if _OURS_TO_REFUSE.search(led) and _MEETS.match(match.group()) else "none"
        elif match.group("told") and governor != "told":
            stance = "none"
        elif governor == "able" and (led.strip() == "i would" or "if i were you" in text):
            stance = "recommends"
        elif match.group("whom") in {"someone", "somebody"} and not _WHO.match(text[match.end() :]):
            stance = "offers" if governor == "asked" else "none"
        else:
            stance = _TALK_STANCES[governor]
        yield _weighed(Act(stance, match.group(), pending=_is_pending(led)), text, match)


def _is_known_wish(text: str, match: re.Match[str], led: str) -> bool:
    """Whether only the user's wish is told again, nothing offered: "you'd like to talk to a person, but"."""
    return bool(_WISH_TOLD.match(led)) and not _conditional(text, *match.span())


_WISH_TOLD = late(r"you (?:would like|want|wish|would prefer|would rather|prefer) to\b")
_SENDS_FOR = late(rf"(?:contact|reach out to|reaching out to|ask|asking|involve) {words.DETERMINED}")
_TO_HELP = late(r"[^|,]*\b(?:for you|on your behalf|to)\b")
_WHO = late(r" (?:from|at|in|on|who|with|else|here|there)\b")
_OURS_TO_REFUSE = late(r"\b(?:i|we|possible|impossible|way)\b")
_MEETS = late(r"(?:contact|reach|get|call|phone|ring|speak|talk|chat|notify|inform|connect)(?:ing)?\b")


def _is_base(verb: str) -> bool:
    return not verb.split()[0].endswith(("ing", "ed", "ote", "oke")) or verb.split()[0] == "ring"


# --- the user is handed over ---------------------------------------------------------------------------


def _passives(text: str, question: bool) -> Iterator[Act]:
    for match in words.PASSIVE.finditer(text):
        if _reported(_clause(text, match.start())):
            continue
        stance = _stance_of(match.group("aux"), question)
        if match.group("subject") == "you" and re.match(r"(?:was|were)\b", match.group("aux")):
            stance = "none"
        if re.match(r"(?:was|were)\b", match.group("aux")) and _is_history(text, match):
            stance = "none"
        if match.group("act") == "connected" and match.group("aux") in {"are", "is"}:
            stance = "none"  # how it is: a phone is connected
        pending = not re.search(r"\b(?:being|been|was|were)\b", match.group("aux"))
        own = match.group("subject") == "you" or "been" in match.group("aux")
        yield _weighed(Act(stance, match.group(), own, pending), text, match)
    for match in words.WISHED.finditer(text):
        governor, _ = _governor(text, match.start())
        if governor == "asked":
            yield Act("offers", match.group())


def _stance_of(auxiliary: str, question: bool) -> Stance:
    """How something is meant that is said of others: "is being", "can be", "will not be"."""
    if re.search(r"\b(?:not|cannot|never)\b", auxiliary):
        return "refuses"
    if question or re.match(r"(?:can|could|may|might|would|should)\b", auxiliary):
        return "offers"
    return "promises"


# --- people act ----------------------------------------------------------------------------------------


def _people_act(text: str, question: bool) -> Iterator[Act]:
    for pattern in (words.THEY_HELP, words.INFORMED):
        for match in pattern.finditer(text):
            if _reported(_clause(text, match.start())) or _is_negative(text, match.start()):
                continue
            if _DIALLED.search(match["subject"]):
                continue
            negated = match.groupdict().get("not")
            stance = "refuses" if negated else _stance_of(match.group("aux"), question)
            if stance == "offers" and not (question or _turns_to_user(text, match)):
                stance = "none"
            if _on_the_spot(match):
                stance = "none"
            yield _weighed(Act(stance, match.group(), own=False, pending=True), text, match)


def _on_the_spot(match: re.Match[str]) -> bool:
    """Whether it is what people do where the user will be: "the crew will help you on board"."""
    act = match.groupdict().get("act") or ""
    if _DELIVERS.search(match["subject"]):
        return True
    return bool(_LOCAL.search(match["subject"]) and re.match(r"(?:help|assist|take|look|give|be in)", act))


_DELIVERS = late(r"\b(?:drivers?|couriers?)$")
_LOCAL = late(r"\b(?:crew|staff|guides?|pilots?|stewards?|cashiers?|receptionists?)$")


def _turns_to_user(text: str, match: re.Match[str]) -> bool:
    """Whether people who "can" do something are offered: on a condition, or to contact this user."""
    if match.group("aux") not in {"can", "could"}:
        return False
    reaches = re.match(
        r"(?:call|phone|ring|contact|reach|e-?mail|text|visit|message|write|join|take)", match["act"]
    )
    return bool(reaches) or _conditional(text, match.start(), match.end()) or " if " in f" {text} "


def _is_negative(text: str, start: int) -> bool:
    return bool(_DENIED_BEFORE.search(text[:start]) or _AFTER_REQUEST.search(_clause(text, start)))


_DIALLED = late(r"\d{3}|@")  # "our desk on 555-0100 will help": the user is told whom to call
_DENIED_BEFORE = late(
    r"\b(?:no|not|nobody|none of|nor|neither|(?:no one|nobody|none) (?:from|in|at|on)|how|when|what|"
    r"whether|so "
    r"that)\s*$"
)
# what people do once the user has turned to them: "fill in the form and our team will respond"
_AFTER_REQUEST = late(
    r"(?:^|, )(?:please |kindly |just |simply |you (?:can|could|may|should|must|need to|have to) "
    r")?(?:submit|fill|"
    r"complete|use|visit|write|open|raise|log|e-?mail|call|contact|walk|go|come|drop|stop)\b(?!.*\b(?:me|"
    r"here|this chat)\b).* (?:and|then) (?:then )?$"
)


# --- a phrase of the assistant's own -------------------------------------------------------------------


def stance_of_phrase(text: str, start: int, end: int, *, question: bool) -> Stance:
    """How a phrase of the assistant file is meant, at a place of a sentence in its bare form."""
    governor = "committed" if _HAS_SUBJECT.match(text[start:end]) else _governor(text, start)[0]
    if governor == "refused":
        return "refuses"
    waits = question or governor in {"asked", "able"} or _conditional(text, start, end)
    return "offers" if waits else "promises"


_HAS_SUBJECT = late(r"(?:i|we|let|our|your|you|someone|an?)\b")
