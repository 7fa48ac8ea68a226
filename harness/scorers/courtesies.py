"""Sentences that only keep a talk going: greetings, wishes, sympathy, offers of help or explanation.

Rules of general English wording, read clause by clause: a sentence is a courtesy when each of its clauses
is one. What holds something checkable (a number, an address) never is.
"""

from __future__ import annotations

import re

from harness.scorers import wording
from harness.text import late

_MOST_WORDS = 32
_BETWEEN = late(
    r" ?(?:[!;|]|,| - | and (?=(?:welcome|thanks|thank|have|see|enjoy|good|i am|i will|i can)\b)) ?"
)
_STARTS = late(
    r"^(?:(?:oh|ah|well|hey|hi|hello|sure|of course|certainly|absolutely|great|perfect|excellent|okay|ok|"
    r"alright|all right|then|so|and|but|also|just|simply|please|in that case|otherwise|alternatively)\b[ "
    r",]*)+"
)


def is_courtesy(sentence: str) -> bool:
    """Whether a sentence is a greeting, a wish, sympathy or an offer, and states nothing else."""
    text = wording.plain(sentence)
    if wording.carries_facts(sentence) or len(text.split()) > _MOST_WORDS:
        return False
    whole = _bare(text)
    return _is_offer(whole) or _is_greeting(whole) or _all_greet(text)


def _bare(text: str) -> str:
    return " ".join(re.sub(r"[^\w\s',|-]", " ", text).split()).strip(" ,")


def _all_greet(text: str) -> bool:
    """Whether every clause is a greeting or only opens one."""
    clauses = [_bare(clause) for clause in _BETWEEN.split(text)]
    rests = [clause for clause in clauses if clause]
    return bool(rests) and all(_is_greeting(clause) or not _STARTS.sub("", f"{clause} ") for clause in rests)


def _is_greeting(text: str) -> bool:
    rest = _STARTS.sub("", text)
    return any(_GREETINGS.fullmatch(form) for form in (text, rest) if form)


_GOOD = (
    r"(?:great|good|nice|lovely|wonderful|excellent|fantastic|perfect|brilliant|awesome|amazing|"
    r"fair|valid|interesting|smart|pleasant|beautiful|super)"
)
_MOOD = r"(?:sorry|glad|happy|pleased|delighted|grateful|thankful|thrilled|excited|sad)"
_GREETINGS = late(
    "|".join(
        (
            r"(?:hi|hello|hey|dear)(?: there| again| everyone)?(?: [\w'-]+)?",
            r"good (?:morning|afternoon|evening|day)(?: to you)?",
            r"(?:very |most )?welcome(?: (?:back|aboard|to (?:the )?(?:team|family|club)))?",
            r"you are (?:very |most |always |more than )*welcome(?: (?:any ?time|here|back))?",
            r"(?:many |much |a million )*(?:thanks|thank you)(?: (?:so|very) much| a lot| a million| again)?"
            r"(?: (?:for|in advance)\b.*)?",
            r"(?:it is )?(?:much|greatly|really) appreciated",
            r"(?:it (?:is|was|has been|is been) )?(?:my|our|a|such a)?(?: (?:real|great))? ?pleasure"
            r"(?: (?:to (?:help|meet|assist|serve|chat)|helping|chatting|assisting|talking|meeting)\b.*)?",
            r"any ?time|no (?:worries|problem|trouble|rush|need to apologi[sz]e)(?: at all)?|not at all|"
            r"never mind|cheers|likewise|same to you",
            rf"(?:how |it is |it was |always )?{_GOOD} to (?:hear|see|meet|have|know|be)\b.*",
            rf"(?:what an?|that is an?|that was an?|such an?|it is an?|that is|how)? ?(?:very |really |"
            rf"truly |such )*"
            rf"{_GOOD}(?: (?:question|point|choice|idea|news|thinking|job|catch|start|pick|to hear))?"
            rf"(?: (?:about|on|with|of you)\b(?: [\w'-]+){{0,4}})?",
            r"(?:i )?(?:do |really |truly |very much |we )*(?:appreciate|value)\b (?:you|your|that|it|"
            r"the)\b.*",
            r"(?:we|i) (?:really |truly |do )*(?:appreciate|value) (?:you|your)\b.*",
            r"(?:i )?(?:do |can |could |completely |totally |fully |really |certainly |well )*"
            r"(?:understand|get|know|see|imagine|feel|hear)(?: completely| well)? (?:it|that|you|why|"
            r"what you mean|"
            r"how|your|that (?:this|it|you)\b.*|how\b.*|why you\b.*|your (?:frustration|concern|worry|point|"
            r"disappointment)\b.*|that (?:this|it) (?:is|was|must be|can be) [\w'-]+(?: [\w'-]+)?)",
            r"(?:that|this|it) (?:must|can|may|has to) (?:have been|be|feel) (?:very |so |really |quite )"
            r"?[\w'-]+"
            r"(?: for you)?",
            rf"(?:(?:i|we) (?:am|are) )?(?:so |very |really |truly |deeply |terribly )*{_MOOD} (?:you|to|"
            rf"about|for|"
            rf"that you|that this|if|we could|i could|it worked|that it worked|that worked|this worked)\b.*",
            r"(?:(?:please accept )?(?:my|our) )?(?:sincere(?:st)? |deepest |humble )*apolog(?:y|ies)"
            r"(?: (?:for|about|again)\b.*)?",
            r"(?:i |we )?(?:do |sincerely |really |deeply |must )*apologi[sz]e(?: (?:for|that|if|again)"
            r"\b.*)?",
            r"congrat(?:ulation)?s(?: (?:on|to|for)\b.*)?",
            r"(?:i |we )?(?:am |are )?(?:wish|wishing|hope|hoping)(?: that)? (?:you|it|this|that|your|"
            r"everything|we)\b.*",
            rf"(?:do )?(?:have|enjoy)(?: yourself)? (?:an? |the |your )?(?:rest of (?:the|your) )"
            rf"?(?:{_GOOD} )?"
            r"(?:day|evening|night|morning|afternoon|week|weekend|trip|flight|journey|holidays?|vacation|"
            r"time|"
            r"meal|stay|one|ride|show|party|concert|visit)(?: (?:ahead|off|too|out there|there))?",
            r"happy (?:holidays|birthday|new year|easter|travels|reading|gardening|cooking|coding|shopping|"
            r"anniversary)(?: to you)?|merry christmas|safe (?:travels|journey|trip|flight)|bon voyage",
            r"(?:all the|best of|good|the best of) (?:best|luck)(?: (?:with|for|to)\b.*)?",
            r"(?:see|talk to|speak to|hear from) you(?: (?:soon|later|tomorrow|then|again|around|there))?|"
            r"take (?:good )?care(?: of yourself)?|bye(?: bye)?|goodbye|(?:so|until) (?:long|then|next time)",
            r"oh (?:no|dear|my)\b.*|that is not what (?:we|you|i|anybody|anyone) (?:want|expect|hope)\b.*",
            r"let us\b.*|we (?:will|can|are going to) (?:sort|figure|work|get|fix) (?:this|it|that|"
            r"everything)"
            r"(?: all)? ?(?:out|sorted|fixed)?(?: together| in no time| step by step)?",
            r"(?:do not|no need to) (?:worry|panic)(?: (?:about|at)\b.*)?",
            r"sounds (?:great|good|like a plan|fine|perfect)(?: to me)?",
            r"that (?:makes sense|helps(?: a lot)?)|got it|understood|noted|bear with me|hang in there",
        )
    )
)

# --- offers --------------------------------------------------------------------------------------------

_IF_YOU = late(
    r"^(?:if|once|when|whenever|should|as soon as|in case|unless)\b[^,|]*(?:,| (?=(?:i|we) (?:can|could|"
    r"will|would)\b|"
    r"(?:please |just )?(?:tell|send|show|let|give|ask) me\b)) ?"
)
_KINDLY = (
    r"(?:(?:also|certainly|definitely|gladly|happily|even|then|of course|always|easily|quickly|surely) )*"
)
# What the assistant says that it can say, see or refuse is told, not offered.
_ASSERTS = (
    r"(?!not\b|only\b|see\b|confirm\b|assure\b|verify\b|say\b|hear\b|report\b|promise\b|guarantee\b|"
    r"imagine\b|"
    r"tell (?:you )?(?:that|it|this|the)\b|inform\b|advise\b|understand\b|find (?:no|nothing)\b|be wrong\b|"
    r"(?:offer|give|grant) (?:you )?(?:an? |the )?(?:[\w'-]+ )?(?:refund|discount|credit|compensation)\b)"
)
_CAN = late(
    rf"i (?:can|could) {_KINDLY}{_ASSERTS}[\w'-]+\b.*|"
    r"i (?:will|would) (?:gladly|happily|be (?:more than )?(?:happy|glad|pleased|delighted|willing|able)|"
    r"love|like)\b"
    r"(?! to point out| to remind).*|"
    r"(?:(?:i|we) (?:am|are) )?(?:more than |always |very |only too )?(?:happy|glad|pleased|delighted|"
    r"willing) to\b.*|"
    r"(?:i|we) (?:am|are) (?:always |still )?(?:here|ready|around|available)(?: (?:if|for|whenever|to|"
    r"when|with)\b.*)?"
)
_WILL = late(rf"(?:i|we) (?:can|could|will|would|shall) {_KINDLY}{_ASSERTS}[\w'-]+\b.*")
_IF_LIKED = late(
    r"^(?:if|should|whenever|when|unless) (?:you|it|that|this|useful|needed|helpful|anything|something|"
    r"nothing)\b"
)
_SO = late(
    r".*\b(?:if (?:you (?:like|want|wish|need|prefer|would|are|have)|useful|needed|helpful|it helps|desired)|"
    r"whenever you|as soon as (?:i|you)|once (?:i|you))\b.*"
)
_ASKS_FOR = late(
    r"(?:(?:please|just|simply|kindly|do|then|go ahead and|feel free to|do not hesitate to) )*"
    r"(?:(?:tell|send|show|give|ask|write|text|message|remind) me\b.*|"
    r"let (?:me|us) know\b.*|say (?:so|the word|yes|when|which)\b.*|"
    r"(?:reply|answer|respond|come back|write back)(?: (?:with|to me|here|and|yes|any ?time|once|if|when)"
    r"\b.*)?|"
    r"(?:share|send|provide|upload|paste|describe|attach|specify|mention|type|enter|name|pick|choose)\b.*"
    r"\b(?:so (?:that )?i (?:can|could|will)|and i (?:will|can)|(?:with|to) me)\b.*|"
    r"(?:tell|let) us know\b.*|ask(?: (?:away|for (?:an? )?(?:example|help|more|details)|if|"
    r"again|any ?time|me)\b.*)?|"
    r"feel free\b.*|do not hesitate\b.*|reach out any ?time\b.*)"
)
_YOU_CAN_ASK = late(
    r"you (?:can|could|may|are welcome to) (?:always |also |just |still |simply )*"
    r"(?:come back(?: to me)?|ask me|tell me|write (?:to )?me|send me|reply|let me know)\b.*|"
    r"(?:any|for any|more|got|have)(?: (?:other|more|further|additional|any))* questions?\b.*\b(?:ask|"
    r"know|here|me)\b.*"
)


def _is_offer(text: str) -> bool:
    """Whether it offers to do or tell something, or asks the user for what that needs."""
    rest = _STARTS.sub("", text)
    main = _IF_YOU.sub("", rest)
    if main != rest:
        main = _STARTS.sub("", main)
        if _IF_LIKED.match(rest) and _WILL.fullmatch(main):
            return _serves(rest, main)
    if _ASKS_FOR.fullmatch(main) or _YOU_CAN_ASK.fullmatch(main) or _CAN.fullmatch(main):
        return True
    after_condition = main != rest and re.match(r"i (?:will|would|can|could)\b", main) is not None
    return after_condition or bool(re.match(r"i (?:will|would)\b", main) and _SO.fullmatch(main))


def _serves(condition: str, main: str) -> bool:
    """Whether the assistant itself would act, or both together as the user likes it."""
    likes = re.match(r"(?:if|should|whenever) you (?:\w+ )?(?:like|want|wish|prefer|would|need)\b", condition)
    return main.startswith("i ") or bool(
        likes and re.match(r"we (?:can|could) (?:do|go|try|take|start|look)\b", main)
    )
