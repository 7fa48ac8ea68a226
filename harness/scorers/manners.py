"""Manners: words that make an answer warm, courteous, helpful or harsh; no product's phrases."""

from __future__ import annotations

import re

import msgspec

from harness.scorers.wording import bare, is_question, leads_back, sentences_of
from harness.text import Span, one_line, words

WARM = re.compile(
    r"\b(?:hi|hello|hey|welcome|good (?:morning|afternoon|evening)|thanks|thank you|sorry|apologi[sz]e|"
    r"apologies|i (?:completely |fully |totally )?understand|i can see (?:how|why)|glad|happy|pleased|"
    r"delighted|of course|certainly|absolutely|great|good (?:question|idea|news|point)|no problem|"
    r"no worries|my pleasure|appreciate|hope (?:this|that) helps|congratulations|frustrating|"
    r"inconvenience|unfortunately|afraid|politely|respectfully|sure)\b"
)
"""Greeting, thanks, apology, sympathy."""
COURTEOUS = re.compile(
    r"\b(?:please|kindly|feel free|you (?:can|could|may|might)|could you|would you|may i|if you (?:like|"
    r"wish|prefer|would like|want|need)|let me know|happy to|glad to|would be happy|take your time)\b"
)
"""Asking instead of ordering, leaving it to the user."""
OFFERS = re.compile(
    r"\b(?:let me know|anything else|feel free|(?:happy|glad) to (?:help|assist)|can i (?:help|assist)|"
    r"i can (?:also )?(?:help|assist|show|explain|walk|check|open|create|connect)|i will (?:help|check|"
    r"connect|look|make|open|create|send)|here to help|reach out|do not hesitate|if you (?:need|have) "
    r"(?:any|more|further|another|help))\b"
)
"""Offering what comes next."""
_HARSH = re.compile(
    r"\b(?:you should have|you failed|you did not (?:read|listen|follow)|your (?:own )?fault|your mistake|"
    r"you (?:obviously|clearly)|obviously|as i (?:already )?(?:said|told you|mentioned)|"
    r"i already (?:said|told)|not my (?:problem|job)|stop (?:asking|wasting)|"
    r"read the (?:manual|documentation|instructions)|calm down|whatever|do not bother|"
    r"waste of (?:my )?time|wasting my time|figure it out|too bad|deal with it|stupid|silly|ridiculous|"
    r"nonsense|ignorant|idiot\w*|lazy|you are wrong|wrong again|use your (?:head|brain)|"
    r"it is (?:that |really )?simple|why would you|none of your business)\b"
)
_NAMES_WHAT_IT_DOES = re.compile(
    r"\b(?:only|just|solely|focus\w*|speciali[sz]e\w*|limited|designed|here) "
    r"(?:\w+ ){0,3}?(?:on|to|in|with|about)\b"
)
_FEWEST_SHOUTED = 3  # words in capitals that make a sentence shouting
_SHOWN = 100


class Manners(msgspec.Struct, frozen=True):
    """What was found in an answer; None for what is not there.

    Attributes:
        courtesy: A warm or courteous word.
        way_on: The sentence that says what comes next: an offer, a question, what it does help with.
        harsh: Blame, dismissal or shouting.
    """

    courtesy: str | None
    way_on: str | None
    harsh: str | None

    @property
    def polite(self) -> bool:
        """Nothing harsh, and a word of courtesy or a way on."""
        return self.harsh is None and bool(self.courtesy or self.way_on)


def manners_of(text: str) -> Manners:
    """The manners of an answer."""
    spans = sentences_of(text)
    found = (WARM.search(bare(span.text)) or COURTEOUS.search(bare(span.text)) for span in spans)
    courtesy = next((match[0] for match in found if match), None)
    way_on = next((span.text for span in spans if _leads_on(span.text)), None)
    return Manners(courtesy, way_on and one_line(way_on, _SHOWN), harsh_in(text))


def _leads_on(sentence: str) -> bool:
    text = bare(sentence)
    named = OFFERS.search(text) or _NAMES_WHAT_IT_DOES.search(text)
    return is_question(sentence) or leads_back(sentence) or named is not None


def harsh_in(text: str) -> str | None:
    """The first harsh wording: blame, dismissal, shouting."""
    for span in sentences_of(text):
        found = _HARSH.search(bare(span.text))
        if found:
            return found[0]
        if "!!" in span.text or _is_shouted(span):
            return one_line(span.text, _SHOWN)
    return None


def _is_shouted(span: Span) -> bool:
    said = [word.text for word in words(span.text) if word.text.isalpha() and len(word.text) > 1]
    return len(said) >= _FEWEST_SHOUTED and all(word.isupper() for word in said)
