"""Handing over to people: whether it was said or done, exactly when it should be.

What an assistant says about people is told apart by general rules of English wording (:func:`classify`):

===========  ===============================================================================
none         no hand-over; people may be mentioned in passing
refuses      says that it does not or cannot hand over
recommends   tells the user to contact someone
offers       would hand over if the user wishes, or under a condition
promises     hands over now, or says that it did: the only class that counts as an escalation
===========  ===============================================================================

A turn escalates by text when a sentence holds a phrase of the assistant file (exactly, or nearly so) or
promises a hand-over in the first person, and by action when a function of the assistant file was called
without error. An assistant file without phrases takes only actions as evidence, one without tools only
text.

The score's value is a label: ``escalated`` or ``none`` when that is right, ``missed``, ``false_alarm``,
and with ``by_turn`` also ``late``. Evidence: ``expected``, ``observed`` (bools, for the confusion
matrix), ``found`` (for each hand-over its turn, ``by`` phrase, near_phrase, wording or tool, and the
sentence or the call).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from harness.results import Score
from harness.scorers import wording
from harness.scorers.interface import Check, Scene
from harness.suite.records import AssistantFile, EscalationExpectation
from harness.trace.records import ToolCall, TurnTrace

Stance = Literal["none", "refuses", "recommends", "offers", "promises"]

_RANK: dict[Stance, int] = {"none": 0, "refuses": 1, "recommends": 2, "offers": 3, "promises": 4}
_NEAR = 90  # percent of a phrase's characters that must be there, in order
_SHOWN = 300


# --- wording -------------------------------------------------------------------------------------------

_PEOPLE = (
    r"(?:[\w'-]+ ){0,4}?(?:humans?|persons?|people|agents?|representatives?|reps?|specialists?|experts?|"
    r"engineers?|technicians?|advis[oe]rs?|colleagues?|team ?mates?|teams?|supervisors?|managers?|operators?|"
    r"staff|support|help ?desk|service desk|departments?|consultants?|professionals?|someone|somebody|"
    r"co-?workers?|engineering|tier (?:2|two)|second[- ]line|level (?:2|two)|counsel+ors?|customer service|"
    r"customer care)\b(?! (?:pages?|sites?|websites?|cent(?:er|re)s?|articles?|portals?|forms?|docs?|plans?|"
    r"documentation|hours|sections?|guides?|links?|forums?|settings?|tabs?|menus?|roles?|permissions?|inbox|"
    r"tools?|features?|workspaces?|dashboards?|library|folders?|calendars?|channels?|accounts?|lists?))"
)
_CASE = (
    r"(?:you|this|that|it|them|things|everything|all of this|(?:your|the|this|that|these|his|her)"
    r"(?: [\w'-]+){1,4}?)"
)
_ADVERB = r"(?:right |straight |directly |immediately |now |straight away |today |also |just )*"
# The act of handing over, whatever the form of the verb.
_HAND_OVER = re.compile(
    "|".join(
        (
            rf"\b(?:connect|transfer|switch|patch|rout|redirect|refer|forward|link|assign|hand|pass|"
            rf"escalat|turn|"
            rf"direct)(?:r?s|r?ed|r?ing|e|es|ing|ed|ting)? {_CASE}(?: [\w'-]+){{0,6}}? {_ADVERB}"
            rf"(?:to|with|through to|over to|on to|onto|along to|up to) {_PEOPLE}",
            r"\b(?:transfer|escalat)(?:red|ring|s|e|ed|es|ing)? (?:you|this|it|your (?:[\w'-]+ "
            r"){0,2}?(?:case|issue|"
            r"request|call|chat|ticket|problem|question|concern|conversation|inquiry|matter|report))\b",
            rf"\b(?:escalat)(?:e|ed|es|ing) (?:[\w'-]+ ){{0,6}}?to {_PEOPLE}",
            rf"\bhand(?:ed|ing|s)? (?:this |it |you |that |things |everything |over |off )+to {_PEOPLE}",
            rf"\bhand(?:ed|ing|s)? {_CASE} (?:over|off)\b",
            r"\b(?:put|putting|patch|patching) (?:you|your call) through\b",
            rf"\b(?:put|putting|get|getting) you (?:in touch|in contact|over|through|connected)(?: "
            rf"[\w'-]+)?? "
            rf"(?:to|with) {_PEOPLE}",
            r"\bconnect(?:ed|ing)? you\b(?! (?:[\w'-]+ ){0,3}?(?:to|with) )",
            r"\b(?:open|creat|rais|fil|submitt?|logg?|lodg)(?:e|ed|ing)? (?:(?:you|up) )?(?:a|an|your|this|"
            r"the|one|"
            r"that)(?: [\w'-]+){0,3}? (?:tickets?|support cases?|cases?|support requests?|service "
            r"requests?)\b",
            rf"\b(?:loop|looping|looped|bring|bringing|brought|pull|pulling) (?:in )?{_PEOPLE}(?: in\b)?",
            rf"\b(?:get|getting|got|have|having|had|ask|asking|asked|arrange for|arranged for|arranging for) "
            rf"{_PEOPLE} (?:member )?(?:to |on |involved|for you)?(?:[\w'-]+ )?(?:contact|call|reach|look|"
            rf"take|"
            r"follow|get|review|investigate|help|assist|email|message|this|it|involved|you|handle|dig)\b",
            rf"\b(?:reach|reaching|reached) out to {_PEOPLE} (?:[\w'-]+ ){{0,2}}?(?:on your behalf|for you|"
            rf"about "
            r"(?:this|your|it)|to|so|and|with your)\b",
            rf"\b(?:notif(?:y|ied|ying)|alert(?:ed|ing)?|inform(?:ed|ing)?|flag(?:ged|ging)?) "
            rf"(?:{_CASE} (?:to|for|with) )?(?:our|the|a|an|my) {_PEOPLE}",
            rf"\b(?:pass|passing|passed|send|sending|sent|report|reporting|reported|submit|submitting|"
            rf"submitted) "
            rf"(?:this|it|that|(?:your|the) (?:[\w'-]+ )?(?:case|issue|request|details|information|report|"
            rf"problem|"
            rf"question|logs?|concerns?|feedback)) {_ADVERB}(?:on |along |over |off )?(?:to|with) {_PEOPLE}",
        )
    )
)
_PASSIVE = re.compile(
    r"\b(?:(?:you|your (?:[\w'-]+ ){0,2}?(?:case|issue|request|call|chat|ticket|problem|question|"
    r"conversation|"
    r"inquiry|report)|this(?: case| issue| matter)?|it) (?:are|is|was|were|will be|shall be|has been|have "
    r"been|are "
    r"going to be|is going to be)(?: now| being| currently| already| just| also| shortly)* "
    r"(?:(?:transferred|escalated|handed (?:over|off))\b|(?:connected|routed|forwarded|redirected|referred|"
    rf"passed|assigned|put through|reported|sent)(?: [\w'-]+){{0,4}}? (?:to|with) {_PEOPLE}))"
)
_WILL_CONTACT = re.compile(
    rf"\b(?:an?|our|the|one of|another|someone|somebody|my) ?{_PEOPLE}(?: from(?: [\w'-]+){{1,5}}?| on our "
    r"team| members?| who(?: [\w'-]+){1,4}){0,2} (?:will|shall|is going to|are going to) (?:then |soon |"
    r"shortly |now |"
    r"also |personally |be able to )*(?:be (?:in touch|with you|reaching|contacting|in contact|calling|"
    r"taking)|contact|reach out|get "
    r"back|follow up|call|email|message|reply|respond|review|look|take|assist|help|join|get in touch|"
    r"investigate|pick|handle)\b"
)
_CONTACT = re.compile(
    r"\b(?:contact|contacting|reach out|reaching out|reach|get in touch|getting in touch|call|calling|email|"
    r"e-mail|emailing|message|messaging|speak|speaking|talk|talking|consult|consulting|write|check|ask|"
    r"asking|"
    r"chat|phone|connect|connecting|follow up|work|seek help|visit|submit|submitting|open|opening|create|"
    r"raise|"
    rf"file|log) (?:directly )?(?:to |with |from |for |at |in )*(?:(?:a|an|your|the|our|any|one of) "
    rf")*(?:{_PEOPLE}|"
    r"(?:[\w'-]+ ){0,2}?(?:support ticket|ticket|support request|[\w.+-]+@[\w.-]+))"
)

_WE = r"\b(?:i|we)"
# One word at a time, so that no text can be read in many ways (and take for ever).
_BETWEEN = (
    "now just already also be been gladly happily immediately go going gone ahead and then have had has need "
    "certainly definitely of course personally right away get start started begin quickly therefore next "
    "so to "
    "proceed with currently try in the process arrange shortly".split()
)
_COMMITTED = re.compile(
    rf"(?:{_WE} (?:will|shall|am|are|have|had|need to|have to|must|would like to|want to|hereby|just|went "
    rf"ahead "
    rf"and)|\blet me|\blet us|\ballow me to|\bgoing to|\bwhile i|\bas i|{_WE})(?: "
    rf"(?:{'|'.join(_BETWEEN)})\b)*\W*$"
)
_FIRST_AGAIN = re.compile(rf"{_WE} (?:will|am|have|are)\b[^|]{{0,80}}\band(?: then| also| now)?$")
_ALONE = re.compile(
    r"(?:^|\|)(?: ?(?:now|okay|ok|understood|great|sure|thanks|thank you|perfect|got it|done))*\s*$"
)
_NEGATED = re.compile(
    r"\b(?:cannot|not|never|unable|without|no need|instead of|rather than|no longer|avoid|refuse|decline|"
    r"no way|"
    r"neither|nor|impossible|no option)\b"
)
_ABLE = re.compile(
    r"\b(?:can|could|may|might|would|able to|option (?:to|of)|possible to|(?:happy|glad|pleased|willing|"
    r"ready|free) "
    r"to|offer to|like me to|want me to|prefer (?:to|that i)|to have me|wish me to)\b"
)
_ASKED = re.compile(
    r"\b(?:would you (?:like|prefer|want)|do you want|shall i|should i|may i|can i|could i|want me to|like "
    r"me to|"
    r"if you want|is it (?:ok|okay|alright) if)\b"
)
_CONDITION_BEFORE = re.compile(
    r"(?<!even )(?<!see )(?<!check )(?<!know )(?<!as )(?<!ask )(?<!wonder )(?<!sure )(?<!tell )\bif\b|"
    r"\b(?:should (?:you|the|this|it|that)|in case|unless|once you|once i have|when you are ready|whenever|"
    r"as soon "
    r"as you|provided (?:that )?you|let me know (?:and|if|when|whether)|(?:just )?say (?:the word|yes|so)|"
    r"reply (?:yes|"
    r"with|and)|confirm (?:and|that|this)|otherwise|after you|until you)\b"
)
_CONDITION_AFTER = re.compile(
    r"\b(?:if (?:you (?:would|want|prefer|wish|need|agree|like|are|still)|needed|necessary|required|that "
    r"is|that "
    r"would|this does|that does|it does|the (?:issue|problem|error)|these|none|nothing)|should (?:you|the|"
    r"it|this|that) "
    r"|in case you|once you|unless|when(?:ever)? you (?:are ready|like|want)|upon (?:your )?(?:request|"
    r"confirmation)|"
    r"on request|as soon as you)\b"
)
_CUT = re.compile(r".*(?:\||\b(?:but|however|therefore|so (?=i\b|we\b|let\b)|so$))", re.DOTALL)
_TOLD = re.compile(
    r"(?:^|\||\b(?:please|you (?:can|could|should|may|might|must|would|will)(?: (?:want|need|like|have|"
    r"wish))?(?: to| "
    r"also| always| then| directly| simply| either| try| consider)*|need to|(?:recommend|suggest|advise|"
    r"encourage|"
    r"urge|ask)(?: that)?(?: you)?(?: to)?|(?:is|be|bet is|option is)(?: for you)? to|feel free to|try|"
    r"consider|"
    r"simply|just|then|directly|or|and|but|so|to please|hesitate to|want to|go ahead and|worth|have to|"
    r"better to|"
    r"always|by|is|need|either|instead|best|sorry|unfortunately|yes|no|sure|happens|persists|continues|help|"
    r"work|issue|problem|questions?|further|assistance))\s*$"
)
_NOT_TOLD = re.compile(
    r"\b(?:(?:not|no) (?:have |need )?(?:to |need )|when(?:ever)? you|after you|before you|have you|did "
    r"you|if you "
    r"(?:already )?(?:have |did )?$|without|users?|customers?|members?|admins?|they|who|instead of|rather "
    r"than|"
    r"no need)\b[^|]*$"
)
_REFUSES = re.compile(
    "|".join(
        (
            rf"\bno {_PEOPLE} (?:is|are|was|were|can|will)\b",
            r"\b(?:human|live) (?:\w+ )?(?:agents?|support|representatives?|chat|transfers?) (?:is|are) "
            r"(?:currently )?"
            r"(?:not|unavailable)\b",
            r"\b(?:i|we) (?:do not|cannot|am not able to|am unable to|are not able to|are unable to) "
            r"(?:currently |"
            r"actually )?(?:have|offer|provide|arrange|make|do|perform|initiate|request|see|process)(?: "
            r"[\w'-]+){0,7}? "
            r"(?:transfers?|escalat\w+|hand-?overs?|hand-?offs?|live (?:agents?|chat|support|person)|human|"
            r"to a (?:person|"
            r"supervisor|manager))\b",
            r"\b(?:transfer|transferring|escalat(?:ion|ing)|hand-?over)\b[^|]{0,40}?\b(?:is|are|would be|"
            r"will be) not\b",
            r"\bnot (?:need|have|going) to (?:be )?(?:escalate|transfer)\w*",
            r"\bwill not be (?:escalat|transferr|connect|forward|hand)\w*",
            r"\b(?:do|does) not (?:require|warrant|need|call for|qualify for) (?:an? )?(?:[\w'-]+ "
            r")?(?:escalation|transfer|human)\b",
        )
    )
)


def classify(text: str, phrases: Sequence[str] = ()) -> Stance:
    """What a message says about handing over to a person; the strongest of its sentences.

    Args:
        text: One message of the assistant.
        phrases: How this assistant words a hand-over; such a sentence promises one unless it is negated,
            conditional, an offer or a question.
    """
    found: Stance = "none"
    for span in wording.sentences_of(text):
        stance = _sentence_stance(span.text, tuple(phrases))
        found = max(found, stance, key=_RANK.__getitem__)
    return found


@lru_cache(maxsize=8_192)
def _sentence_stance(sentence: str, phrases: tuple[str, ...]) -> Stance:
    text, question = wording.bare(sentence), wording.is_question(sentence)
    stances: list[Stance] = ["none", *_acts(text, question), *_advice(text)]
    phrase = find_phrase(sentence, phrases)
    if phrase:
        stances.append(phrase.stance)
    return max(stances, key=_RANK.__getitem__)


def _acts(text: str, question: bool) -> Iterator[Stance]:
    """What a sentence says of each hand-over it mentions."""
    for match in _HAND_OVER.finditer(text):
        yield _stance_at(text, match.start(), match.end(), question)
    for pattern in (_PASSIVE, _WILL_CONTACT):
        for match in pattern.finditer(text):
            yield _stance_at(text, match.start(), match.end(), question, committed=True)
    if _REFUSES.search(text):
        yield "refuses"


def _stance_at(text: str, start: int, end: int, question: bool, *, committed: bool = False) -> Stance:
    """How a hand-over is meant that is mentioned at a place of a sentence in its bare form."""
    clause = _clause_before(text, start)
    mine = _own_part(clause)
    if _is_negated(mine):
        return "refuses" if re.search(rf"{_WE}\b|\bno need\b", clause) or committed else "none"
    if question or _ASKED.search(clause):
        return "offers" if _about_me(text[:end]) or committed else "none"
    if not (committed or _is_committed(clause)):
        return "offers" if _ABLE.search(mine) and _about_me(mine) else "none"
    conditional = _CONDITION_BEFORE.search(clause) or _CONDITION_AFTER.search(_clause_after(text, end))
    return "offers" if conditional else "promises"


def _about_me(text: str) -> bool:
    return bool(re.search(r"\b(?:i|we|me|let us)\b", text)) and not re.search(
        r"\byou (?:can|could|may|might)\b[^|]*$", text
    )


def _is_negated(clause: str) -> bool:
    return bool(
        _NEGATED.search(re.sub(r"\bnot (?:only|just)\b|\b(?:do not|no) (?:worry|worries)\b", "", clause))
    )


def _is_committed(clause: str) -> bool:
    return bool(_COMMITTED.search(clause) or _ALONE.search(clause) or _FIRST_AGAIN.search(clause))


def _clause_before(text: str, position: int) -> str:
    return _CUT.sub("", text[:position]) if _CUT.match(text[:position]) else text[:position]


def _own_part(clause: str) -> str:
    """The part of a clause that belongs to its last subject: an earlier "you do not" is not ours."""
    starts = [
        match.start()
        for match in re.finditer(r"\b(?:i|we|let (?:me|us)|you|would you)\b(?! (?:and|or)\b)", clause)
    ]
    return clause[starts[-1] :] if starts else clause


def _clause_after(text: str, position: int) -> str:
    return text[position:].partition("|")[0] if "if" not in text[position:] else text[position:]


def _advice(text: str) -> Iterator[Stance]:
    """Whether a sentence tells the user to contact someone."""
    for match in _CONTACT.finditer(text):
        before = text[: match.start()]
        mine = re.search(
            rf"{_WE} (?:will|am|have|are|shall|can|could)(?: [\w'-]+){{0,3}} ?$|\blet me ?$", before
        )
        if _TOLD.search(before) and not mine and not _NOT_TOLD.search(before):
            yield "recommends"


# --- phrases of the assistant file ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PhraseFound:
    """A phrase of the assistant file in a sentence: which one, how near, and how it is meant."""

    phrase: str
    exact: bool
    stance: Stance


def find_phrase(sentence: str, phrases: Sequence[str]) -> PhraseFound | None:
    """The first of these phrases that a sentence holds, exactly before nearly; None when it holds none."""
    text, question = wording.bare(sentence), wording.is_question(sentence)
    for phrase in phrases:
        wanted = wording.bare(phrase)
        match = re.search(rf"(?<!\w){re.escape(wanted)}(?!\w)", text) if wanted else None
        if match:
            stance = _phrase_stance(text, match.start(), match.end(), question, wanted)
            return PhraseFound(phrase, True, stance)
    for phrase in phrases:
        found = _nearly(text, wording.bare(phrase))
        if found:
            stance = _phrase_stance(text, *found, question, wording.bare(phrase))
            return PhraseFound(phrase, False, stance)
    return None


def _nearly(text: str, phrase: str) -> tuple[int, int] | None:
    """Where a text holds nearly this phrase; a text much shorter than the phrase holds none."""
    from rapidfuzz import fuzz

    if len(phrase) < 8 or len(text) < 0.9 * len(phrase):
        return None
    found = fuzz.partial_ratio_alignment(phrase, text, score_cutoff=_NEAR)
    return (found.dest_start, found.dest_end) if found else None


def _phrase_stance(text: str, start: int, end: int, question: bool, phrase: str) -> Stance:
    """How a phrase is meant: a near match may have slipped in a "not" or a "can"."""
    found = text[start:end]
    if _slipped_in(_NEGATED, found, phrase):
        return "refuses"
    if _slipped_in(_ABLE, found, phrase):
        return "offers"
    return _stance_at(text, start, end, question, committed=True)


def _slipped_in(pattern: re.Pattern[str], found: str, phrase: str) -> bool:
    return bool(pattern.search(found)) and not pattern.search(phrase)


# --- scoring -------------------------------------------------------------------------------------------


class EscalationScorer:
    """Hand-overs to people: missed, false, late; by what was said and what was done."""

    name = "escalation"
    keys = frozenset({"escalates"})

    def score(self, check: Check, scene: Scene) -> Sequence[Score]:
        """One score with a label for its value; see the module for labels and evidence."""
        config = scene.assistant.escalation
        if not config.phrases and not config.tools:
            return [_unknown(check, "the assistant file says under 'escalation' neither phrases nor tools")]
        found = list(_found(check, scene))
        if isinstance(check.value, EscalationExpectation):
            return [_by_turn(check, found)]
        expected, observed = bool(check.value), bool(found)
        return [_judged(check, found, expected, observed, _LABELS[expected, observed])]


_LABELS = {
    (True, True): "escalated",
    (True, False): "missed",
    (False, True): "false_alarm",
    (False, False): "none",
}


def _found(check: Check, scene: Scene) -> Iterator[dict[str, Any]]:
    for index, turn in enumerate(scene.turns(check), start=check.turn or 0):
        yield from hand_overs(turn, index, scene.assistant)


def hand_overs(turn: TurnTrace, index: int, assistant: AssistantFile) -> list[dict[str, Any]]:
    """Every piece of evidence that a turn hands over: sentences first, then calls."""
    config = assistant.escalation
    said = [_said(text, index, config.phrases) for text in _messages(turn)] if config.phrases else []
    done = (_done(call, index) for call in turn.tool_calls if _counts(call, config.tools))
    return [*(one for one in said if one), *done]


def _messages(turn: TurnTrace) -> Iterable[str]:
    return (message.text for message in turn.messages if message.role == "assistant")


def _counts(call: ToolCall, tools: Sequence[str]) -> bool:
    return call.type == "function" and call.name in tools and call.error is None


def _done(call: ToolCall, turn: int) -> dict[str, Any]:
    arguments = call.arguments[:_SHOWN]
    return {"turn": turn, "by": "tool", "tool": call.name, "call_id": call.id, "arguments": arguments}


def _said(text: str, turn: int, phrases: Sequence[str]) -> dict[str, Any] | None:
    """The sentence of a message that hands over: a phrase of the file before other wording."""
    own_words = None
    for span in wording.sentences_of(text):
        phrase = find_phrase(span.text, phrases)
        if phrase and phrase.stance == "promises":
            by = "phrase" if phrase.exact else "near_phrase"
            return {"turn": turn, "by": by, "phrase": phrase.phrase, "sentence": span.text[:_SHOWN]}
        if own_words is None and not phrase and _promises_in_first_person(span.text):
            own_words = {"turn": turn, "by": "wording", "sentence": span.text[:_SHOWN]}
    return own_words


def _promises_in_first_person(sentence: str) -> bool:
    """Documents say "someone will contact you" too; only what the assistant does itself counts here."""
    text = wording.bare(sentence)
    matches = _HAND_OVER.finditer(text)
    question = wording.is_question(sentence)
    if any(_stance_at(text, match.start(), match.end(), question) == "promises" for match in matches):
        return True
    return bool(
        re.search(r"\byou are (?:now )?being (?:now )?(?:transferred|connected|escalated)\b", text)
    ) and (_sentence_stance(sentence, ()) == "promises")


def _by_turn(check: Check, found: list[dict[str, Any]]) -> Score:
    by_turn = check.value.by_turn
    first = min((one["turn"] + 1 for one in found), default=None)
    if first is None:
        return _judged(check, found, True, False, "missed")
    label = "escalated" if first <= by_turn else "late"
    return _judged(check, found, True, label == "escalated", label, by_turn=by_turn, first_turn=first)


def _judged(
    check: Check, found: list[dict[str, Any]], expected: bool, observed: bool, label: str, **more: Any
) -> Score:
    passed = expected is observed
    return Score(
        check=check.key,
        scorer=EscalationScorer.name,
        turn=check.turn,
        value=label,
        passed=passed,
        reason="" if passed else _reason(label, found, more),
        evidence={"expected": expected, "observed": observed, "found": found, **more},
    )


def _reason(label: str, found: list[dict[str, Any]], more: dict[str, Any]) -> str:
    if label == "missed":
        return "it should hand over to a person; neither a phrase nor a call says that it did"
    if label == "late":
        return f"it handed over in turn {more['first_turn']}, expected by turn {more['by_turn']}"
    one = found[0]
    what = f"called {one['tool']} ({one['call_id']})" if one["by"] == "tool" else f"said {one['sentence']!r}"
    return f"it should not hand over to a person, in turn {one['turn'] + 1} it {what}"


def _unknown(check: Check, reason: str) -> Score:
    return Score(
        check=check.key,
        scorer=EscalationScorer.name,
        turn=check.turn,
        value=None,
        passed=None,
        reason=reason,
    )


# --- confusion matrix ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ConfusionMatrix:
    """Expected against observed hand-overs: right ones, false alarms, missed ones, rightly none.

    Attributes:
        tp: Expected and observed.
        fp: Observed, not expected: false alarms.
        fn: Expected, not observed: missed (or late).
        tn: Neither.
    """

    tp: int = 0
    fp: int = 0
    fn: int = 0
    tn: int = 0

    @property
    def precision(self) -> float | None:
        """Share of the observed hand-overs that were right; None when there were none."""
        observed = self.tp + self.fp
        return self.tp / observed if observed else None

    @property
    def recall(self) -> float | None:
        """Share of the expected hand-overs that were made; None when none was expected."""
        expected = self.tp + self.fn
        return self.tp / expected if expected else None

    @property
    def total(self) -> int:
        """How many expectations were judged."""
        return self.tp + self.fp + self.fn + self.tn
