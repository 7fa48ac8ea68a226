"""How assistants put things: turning away, not knowing, greeting; rules of general English wording.

No rule knows a product, a business or an assistant. Sentences are compared in a plain form: folded,
contractions written out, markdown and citation markers gone, so that one rule covers many spellings.
"""

from __future__ import annotations

import re
from functools import lru_cache

from harness.scorers.markers import without_markers
from harness.text import Span, fold, sentences

LONGEST_TEXT = 60_000  # characters of an answer that wording rules look at; about 15,000 tokens
_LONGEST_SENTENCE = 1_000

_MARKDOWN = re.compile(r"[*_`#>~]+|^\s*(?:[-•–▪◦]|\(?\d{1,3}[.)])\s+")
_CONTRACTIONS = [
    (re.compile(pattern), text)
    for pattern, text in (
        (r"\bcan't\b|\bcant\b|\bcan not\b", "cannot"),
        (r"\bwon't\b|\bwont\b", "will not"),
        (r"\bshan't\b", "shall not"),
        (r"\blet's\b", "let us"),
        (r"\b(do|does|did|is|are|was|were|has|have|had|could|would|should|must|need)n'?t\b", r"\1 not"),
        (r"\b(i)'m\b|\bim\b", "i am"),
        (r"'re\b", " are"),
        (r"'ve\b", " have"),
        (r"'ll\b", " will"),
        (r"\b(i|we|you|he|she|they|it|that|there)'d\b", r"\1 would"),
        (r"\b(it|that|there|what|here|this|who|he|she)'s\b", r"\1 is"),
    )
]
_CLAUSE_MARKS = re.compile(r"[;:]| - |\.{2,}|…")
_PUNCTUATION = re.compile(r"[^\w\s'|@%$€£+-]")


def capped(text: str) -> str:
    """The part of a text that is looked at, so that no input takes for ever."""
    return text[:LONGEST_TEXT]


def sentences_of(text: str) -> list[Span]:
    """The sentences of an answer, without citation markers, places as in the answer; capped."""
    return sentences(without_markers(capped(text)))


@lru_cache(maxsize=8_192)
def plain(sentence: str) -> str:
    """A sentence in the form the rules compare: folded, contractions written out, no markdown."""
    text = fold(_MARKDOWN.sub(" ", without_markers(sentence[:_LONGEST_SENTENCE])))
    for pattern, replacement in _CONTRACTIONS:
        text = pattern.sub(replacement, text)
    return " ".join(text.split())


@lru_cache(maxsize=8_192)
def bare(sentence: str) -> str:
    """The plain form without punctuation; ``|`` stands where a clause ends."""
    return " ".join(_PUNCTUATION.sub(" ", _CLAUSE_MARKS.sub(" | ", plain(sentence))).split())


def is_question(sentence: str) -> bool:
    """Whether a sentence asks something."""
    return plain(sentence).rstrip("\"') ").endswith("?")


# --- turning away --------------------------------------------------------------------------------------

_HELP = r"(?:help|assist|answer|advise|support|respond|discuss|comment|weigh in|talk|chat|speak|guide)"
_UNABLE = (
    r"(?:cannot|am not able to|am unable to|am not in a position to|do not|will not|would not be able to|"
    r"may not be able to|might not be able to|am not (?:really )?(?:set up|equipped|qualified|designed|built|"
    r"trained|meant|the right \w+) to|was not (?:designed|built|made) to|am not allowed to|can neither)"
)
_TURNS_AWAY = re.compile(
    "|".join(
        (
            rf"\b(?:i|we) (?:can|could|am|are|will|may)? ?(?:only|just|solely|exclusively) (?:able to "
            rf")?{_HELP}\b",
            rf"\b(?:i|we) (?:am|are) (?:only|just|solely|exclusively) (?:able|here|set up|designed|trained|"
            rf"meant"
            rf"|allowed) to {_HELP}\b",
            rf"\b(?:i|we) can {_HELP}(?: you)? (?:only|just) (?:with|on|about)\b",
            rf"\b(?:only|just) (?:questions|topics|things|requests|matters) (?:about|related to|on|"
            rf"regarding)\b"
            rf".{{0,60}}\b(?:can|able to) {_HELP}\b",
            rf"\bi {_UNABLE} (?:\w+ ){{0,2}}{_HELP}\b(?! (?:you )?(?:until|unless|without|before)\b)",
            r"\b(?:outside|beyond|out of|not within|not in|falls? outside)(?: of)? (?:the |my |our |its )?"
            r"(?:scope|area|areas|expertise|remit|range|field|role|domain|purview|wheelhouse|lane|focus|"
            r"capabilities)\b",
            rf"\b(?:outside|beyond)(?: of)? what (?:i|we) (?:can|could|am|are|do|cover|handle|{_HELP})\b",
            r"\b(?:not|never) (?:really )?(?:something|a topic|a subject|a question|an area|the kind of \w+|"
            rf"one|things?)(?: that| which)? (?:i|we) (?:can|could|am|are|do|cover|handle|{_HELP})\b",
            rf"\bi (?:do not|cannot|will not|am not able to|am unable to) (?:really |actually )?(?:cover|"
            rf"handle|"
            rf"give|offer|write|do|tell|engage|make|recommend|speculate|share|have opinions|{_HELP})\b"
            r"(?! (?:to |anything (?:about|on) )?your (?:account|order|data)\b)",
            r"\bmy (?:expertise|knowledge|role|focus|job|purpose|help|abilities|scope|specialty|speciality) "
            r"(?:is|are) (?:limited|restricted|confined|focused|only|solely|strictly)\b",
            r"\b(?:i|we) (?:only |mainly |solely )?(?:focus|speciali[sz]e|concentrate) (?:only |solely "
            r")?(?:on|in)\b",
            r"\bi am (?:focused|specialized|specialised|limited|restricted|dedicated)(?: only| solely)? "
            r"(?:on|in|to)\b",
            r"\b(?:stick to|stay on topic|off[- ]topic|out of scope|get back to (?:your|the|questions|how)|"
            r"bring (?:us|it|this|things) back to|steer (?:us|this|the)|keep (?:us|our \w+|things|this) "
            r"(?:on|focused))\b",
            r"\b(?:not (?:directly |really )?related to|unrelated to|nothing to do with)\b.{0,60}"
            r"\b(?:i|we|our|my|help|assist)\b",
            rf"\b(?:is not|are not|isnt) (?:\w+ ){{0,3}}(?:i|we) (?:can|am able to) {_HELP}\b",
            rf"\bnot (?:able|equipped|qualified|permitted) to {_HELP} (?:you )?(?:with|on|about)\b",
            r"\b(?:i am|as) an? (?:[\w'-]+ ){0,4}(?:assistant|bot|agent)\b.{0,40}\b(?:only|so i cannot|"
            r"cannot)\b",
            r"\bi (?:will |would |must |have to |need to |rather )+(?:politely |respectfully )?(?:decline|"
            r"pass on)\b",
        )
    )
)
# These turn away only when nothing else is said: the same words also open or close an ordinary answer.
_LEADS_BACK = re.compile(
    "|".join(
        (
            rf"\b(?:i|we) (?:am|are|was|were) (?:here|designed|built|made|meant|set up|trained|dedicated) "
            rf"(?:to|for) ?"
            rf"(?:{_HELP}(?:ing)?)?(?: you| customers| people| users)?(?: \w+){{0,2}} (?:with|on|about)\b",
            rf"\b(?:happy|glad|pleased|delighted) to {_HELP}\b.{{0,80}}\b(?:instead|with|about|on)\b",
            rf"\bi can (?:certainly |definitely |gladly )?{_HELP}(?: you)? with\b",
            r"\bmy (?:focus|job|role|purpose|expertise|specialty|speciality) (?:is|lies)\b",
            r"\bis there (?:anything|something) (?:about|related to|regarding|to do with)\b",
            r"\b(?:do you have|if you have) (?:any|a) questions? (?:about|on|regarding|related)\b",
            r"\bfor (?:that|this|those|these) (?:[\w'-]+ ){0,3}(?:you might|you may|you could|i would|"
            r"please|it is "
            r"best)\b",
        )
    )
)


def turns_away(sentence: str) -> bool:
    """Whether a sentence says that this is nothing the assistant helps with."""
    text = bare(sentence)
    return bool(_TURNS_AWAY.search(text)) and not lacks_information(sentence)


def leads_back(sentence: str) -> bool:
    """Whether a sentence names what the assistant helps with; alone, that turns a request away too."""
    return bool(_LEADS_BACK.search(bare(sentence)))


# --- not knowing ---------------------------------------------------------------------------------------

_INFORMATION = (
    r"(?:information|info|details?|data|answers?|anything|any mention|mentions?|documentation|records?|"
    r"specifics|knowledge|figures?|guidance|instructions|results?|references?|sources?|a source|"
    r"insight|visibility|nothing|something|documents?|articles?|material)"
)
_DOCUMENTS = (
    r"(?:(?:the|my|our|these|those|any|provided|available|your|its|current|existing|given|uploaded|"
    r"retrieved|this|what|all|official|supplied|of|knowledge|product|support|help|user) ?)+"
    r"(?:[\w'-]+ ){0,2}?(?:documents?|documentation|knowledge ?base|docs|articles?|guides?|materials?|"
    r"sources?|"
    r"uploaded files?|passages?|context|manuals?|excerpts?|information|info|resources?|results?|content|text|"
    r"faqs?|policy|policies|handbook|knowledge|records)"
)
_SEEN = (
    r"(?: (?:that |which )?(?:i|we) (?:can|could|have|had|was|were|am|are|found|searched|looked|know|see)"
    r"(?: [\w'-]+){0,3}?)?"
)
_TEXTS = (
    r"(?:the|my|our|these|those|any|this) (?:[\w'-]+ ){0,2}?(?:documents?|documentation|texts?|files?|pages?|"
    r"pdfs?|terms|contract|brochure|leaflet|lists?|table|guides?|manuals?|faqs?|articles?|sources?|passages?|"
    r"excerpts?|materials?|rules|statutes|regulations|notes|catalogue|knowledge ?base)"
)
_LACKS = re.compile(
    "|".join(
        (
            rf"\b{_TEXTS}{_SEEN} (?:(?:just |simply |unfortunately )?(?:(?:say|tell|give|mention)s? nothing|"
            r"(?:is|are) silent)\b|(?:do|does|did) not (?:[\w'-]+ )?(?:specify|say|state|tell|mention|"
            r"indicate)\b)",
            rf"\b(?:beyond|outside)(?: of)? what {_TEXTS}{_SEEN}\b",
            r"\bi (?:do not|did not) (?:currently |actually )?have (?:any )?access to\b",
            r"\b(?:it|they|which) (?:has|have|had|holds?|gives?|contains?|lists?) no (?:entry|entries|"
            r"mention|"
            r"information|details?|word|reference)\b",
            rf"\b(?:i|we) (?:do not|did not|could not|cannot|can not) (?:currently |actually |seem to |yet |"
            rf"really |appear to )?(?:have|find|see|locate|know of|hold)(?: \w+){{0,6}}? {_INFORMATION}\b",
            r"\b(?:i|we) (?:do not|did not|could not|cannot|was not able to|were not able to|am not able to|"
            r"am unable to|was unable to|have not been able to|were unable to) (?:seem to )?(?:find|"
            r"locate)\b",
            r"\bi (?:do not|did not) (?:actually |currently )?have (?:that|this|it|one|those|these)\b",
            r"\bi (?:do not|did not) (?:actually |really )?know\b(?! if you have tried)",
            r"\bi am not (?:sure|certain|aware|familiar)\b",
            rf"\b(?:i|we) (?:have|had|found|find|see) (?:no|nothing|not any)\b(?: \w+){{0,4}}?(?: "
            rf"{_INFORMATION}|"
            r" about| on| in| that| covering)\b",
            rf"\bthere (?:is|are|was|were|seems to be|appears to be) (?:no|not any|nothing)(?: \w+){{0,3}}? "
            rf"(?:{_INFORMATION}|mentioned|said|stated|written)\b",
            rf"\bno (?:specific |relevant |further |such |matching )*{_INFORMATION} (?:is|are|was|were|"
            rf"about|on|"
            r"in|regarding|could be|available|found)\b",
            rf"\b{_DOCUMENTS}(?: (?:i|we) (?:have|can|was|were|am|are)(?: \w+){{0,3}}| available| provided|"
            rf" given)?"
            r"(?: (?:just|simply|unfortunately|currently))? (?:do|does|did) not (?:seem to |appear to |"
            r"explicitly |specifically |actually |directly |clearly |really )*(?:mention|say|specify|cover|"
            r"contain|"
            r"include|state|describe|address|list|provide|explain|discuss|answer|give|indicate|offer|tell|"
            r"go into|have)\b",
            rf"\b{_DOCUMENTS} (?:is|are) silent\b",
            r"\b(?:it|they|passages? \w+) (?:do|does|did) not (?:explicitly |specifically )?(?:mention|"
            r"specify|state|"
            rf"provide (?:any |specific |enough |further )*{_INFORMATION})\b",
            rf"\b{_DOCUMENTS} (?:has|have|holds?|gives?|shows?|lists?|contains?|includes?|offers?|says?|"
            rf"makes?) "
            r"(?:no|nothing)\b",
            r"\b(?:not|nowhere|never) (?:explicitly |specifically |directly |clearly |currently |actually )*"
            r"(?:mentioned|covered|included|specified|described|documented|addressed|stated|listed|available|"
            r"found|discussed|provided|contained|answered|explained|given|there|present)"
            rf"(?: anywhere| at all)? (?:in|by|within|on|from) {_DOCUMENTS}\b",
            rf"\b(?:is|are|was) not (?:\w+ ){{0,2}}(?:in|part of|among) {_DOCUMENTS}\b",
            rf"\b(?:nothing|no answer|not enough|no mention|insufficient information)(?: \w+){{0,6}}? "
            rf"(?:in|within|"
            rf"from) {_DOCUMENTS}\b",
            r"\bnot enough (?:information|detail|details|data|context)\b",
            r"\b(?:outside|beyond) my (?:current )?knowledge\b",
            r"\b(?:i|we) (?:cannot|am unable to|am not able to|could not) (?:really |actually )?(?:confirm|"
            r"determine|verify|say for (?:sure|certain)|tell (?:for sure|from)|be (?:sure|certain))\b",
            rf"\b(?:cannot|unable to|not able to|could not) (?:answer|be answered)\b.{{0,40}}\b(?:based on|"
            rf"from|with|"
            rf"using) {_DOCUMENTS}\b",
            r"\b(?:information|details?|answer) (?:that|which)? ?(?:i|we) do not have\b",
            rf"\bdo(?:es)? not (?:appear|come up|occur|stand) (?:anywhere )?in {_DOCUMENTS}\b",
            r"\b(?:no|neither|none of (?:the|my|our|these)|not one|nothing in) (?:[\w'-]+ ){0,2}?"
            r"(?:documents?|docs|files?|pages?|passages?|articles?|guides?|manuals?|sources?|texts?|handbook|"
            r"results?|excerpts?|terms|brochure)(?: (?:i|we) (?:\w+ ){1,3}?)? ?(?:mentions?|says?|"
            r"states?|specif\w+|"
            r"covers?|deals?|discuss\w*|address\w*|tells?|gives?|lists?|contains?|answers?|explains?|"
            r"describes?)\b",
            rf"\b{_DOCUMENTS} (?:leaves?|left) (?:this|that|it|the) (?:[\w'-]+ )?(?:open|unanswered|"
            rf"unclear|out)\b",
            rf"\b{_DOCUMENTS} (?:do|does|did) not (?:\w+ )?(?:touch on|deal with|make (?:it|this|that) "
            rf"clear|make "
            r"(?:any )?mention|let me|allow me to|tell me|help|settle)\b",
            rf"\b{_DOCUMENTS} (?:makes?|made|gives?|has|have) (?:no|not any) (?:mention|indication|"
            rf"reference|details?|"
            r"entry|entries|reason|information|hint|word)\b",
            r"\b(?:pages?|documents?|documentation|articles?|guides?|manuals?|sources?|texts?|passages?|"
            r"files?)"
            r"(?: (?:i|we) \w+)? (?:say|says|said|has|have|tell|tells) nothing\b",
            rf"\b{_DOCUMENTS} stops? short of\b",
            r"\b(?:looked|searched|checked)\b.{0,40}\b(?:is|are|was|were) not (?:given|stated|there|"
            r"listed|mentioned|specified)\b",
            r"^nowhere in (?:the|my|our|these)\b",
            r"\b(?:uploaded|attached|provided|retrieved) (?:pdfs?|files?|documents?|texts?|pages?) (?:do|"
            r"does|did) not\b",
            r"\bno (?:indication|mention|trace|reference|hint|word|entry|passage|record) (?:of|to|about|"
            r"on|that|as to)\b"
            r".*\b(?:in|from|within|among) (?:the|my|our|what|any|these)\b",
            r"\b(?:it|that|this) is not (?:\w+ )?(?:stated|specified|mentioned|indicated|documented|"
            r"explained|covered|"
            r"clear (?:from|in|to me)|spelled out|said)\b",
            r"\b(?:remains?|is|stays?) (?:unclear|unanswered|unspecified|undocumented) (?:from|in) "
            r"(?:the|my|our|"
            r"these|what)\b|^(?:whether|who|when|where|how|why|this|that|it)\b[^|]* (?:remains?|stays?) "
            r"(?:unclear|unanswered)$",
            r"\b(?:i|we) (?:lack|am missing|have not got) (?:the |any |enough |that |this |sufficient |"
            r"such )*"
            rf"{_INFORMATION}\b",
            r"\bi would (?:only |just )?be (?:guessing|speculating)\b|\bi (?:can|could) only (?:guess|"
            r"speculate)\b",
            r"\bi (?:have|see) no (?:way|means) (?:of (?:knowing|telling|checking)|to (?:know|tell|check))\b",
            r"\b(?:came|come) up (?:empty|short|blank|with nothing)\b|\b(?:could not|did not) come up "
            r"with (?:any|an)",
            r"\bwhat (?:i|we) (?:found|have|know|can see|could find)(?: \w+){0,3}? (?:does not|do not|"
            r"says? nothing|is "
            r"not enough)\b",
            r"\bnot (?:part of|among|in|within) (?:what|anything) (?:i|we)\b",
            r"\bnot in the (?:[\w'-]+ )?(?:files?|documents?|texts?|pages?|sources?|materials?)\b",
            r"\b(?:i|we) (?:cannot|could not|am unable to|am not able to) (?:see|give you|offer) (?:any|"
            r"an?) (?:\w+ )?"
            r"(?:mention|reference|definite|exact|certain|reliable|clear)\b",
        )
    )
)


def lacks_information(sentence: str) -> bool:
    """Whether a sentence says honestly that the assistant does not have the information."""
    text = bare(sentence)
    return bool(_LACKS.search(text)) and not _asks_back(sentence, text)


def _asks_back(sentence: str, text: str) -> bool:
    """Whether it asks back and does not give up: "I'm not sure which one you mean, could you tell me?"."""
    return is_question(sentence) or bool(
        re.search(r"\bnot (?:sure|certain) (?:i understand|what you mean|which)\b", text)
    )


# --- small talk ----------------------------------------------------------------------------------------

_OPENERS = re.compile(
    r"^(?:(?:hi there|hey there|hello there|hi|hello|hey|good (?:morning|afternoon|evening|question)|sure "
    r"thing|"
    r"sure|of course|certainly|absolutely|definitely|great question|great|perfect|okay|ok|alright|got it|"
    r"understood|thanks|thank you|no problem|no worries|unfortunately|(?:i am )?(?:very |so |really |truly "
    r")?sorry"
    r"(?: but)?|i apologi[sz]e(?: but)?|my apologies(?: but)?)\b[ |,!.-]*)+"
)
_PLEASANT = re.compile(
    "|".join(
        (
            r"(?:thanks|thank you)\b(?: (?:so|very) much| a lot| again)?(?: (?:for|in advance)\b.*)?",
            r"(?:you are )?(?:very |most |always )?welcome(?: (?:any ?time|again)| and\b.*)?",
            r"welcome(?: back| to)\b.*",
            r"(?:i am )?(?:so |very |always |really )?(?:glad|happy|pleased|delighted|here|excited|ready) "
            r"(?:to (?:help|assist|hear|see|be of)|i could|that|you|it)\b.*",
            r"i would be (?:more than )?(?:happy|glad|pleased|delighted) to (?:help|assist)\b.*",
            r"i (?:am|was) (?:here|designed|built|made|meant|trained) to (?:help|assist|support)\b.*",
            r"i (?:can|will)(?: certainly| definitely| gladly| happily)? (?:help|assist|walk you through|"
            r"explain|"
            r"guide you)\b.*",
            r"(?:please )?(?:just )?(?:let me know|feel free|do not hesitate|reach out any ?time)\b.*",
            r"i have (?:noted|made a note of|received|got|read) (?:that|this|it|your|everything)\b.*",
            r"(?:to do (?:this|that|so) )?i still need\b.*",
            r"i (?:completely |totally |fully |really )?understand(?: and)? i am (?:\w+ )?sorry\b.*",
            r"(?:to do (?:this|that|so) )?i (?:still |also |just |only |will )*(?:need|require) (?:your|"
            r"you to|to know|"
            r"a (?:few|bit|little)|some|more|one more)\b.*",
            r"please (?:\w+ )?(?:tell|send|share|provide|give) (?:me|us)\b.*",
            r"i hope (?:this|that|it|you|everything)\b.*",
            r"(?:have|enjoy)(?: yourself)? a (?:great|nice|good|wonderful|lovely|pleasant)\b.*",
            r"let (?:me|us) (?:check|look|see|find|explain|walk|help|take|start|get|go|break|know|"
            r"summari[sz]e)\b.*",
            r"(?:i am |we are )?(?:very |so |really |truly )?sorry (?:to hear|about|for|that you|you are "
            r"(?:having|"
            r"experiencing|seeing|facing|dealing)|you have (?:had|been)|if)\b.*",
            r"(?:i )?(?:sincerely )?apologi[sz]e(?: for\b.*)?",
            r"(?:my )?apologies(?: for\b.*)?",
            r"i (?:completely |totally |fully |really )?(?:understand|appreciate|see|hear|know) (?:how|"
            r"that you|your|"
            r"this (?:is|can|must)|what you|you are|why)\b.*",
            r"(?:that|this|it) (?:sounds|must be|can be|is|seems) (?:\w+ )?(?:frustrating|annoying|stressful|"
            r"inconvenient|great|good|wonderful|fantastic|understandable|disappointing|upsetting)"
            r"(?: (?:to hear|to know|especially|when you|and i|i)\b.*)?",
            r"(?:good luck|take care|cheers|best regards|kind regards|sincerely|bye|goodbye)\b.*",
            r"(?:yes|no|yep|nope|done|right|correct|exactly|noted|and|or|note|tip|example|summary)",
        )
    )
)
_WORDS_OF_PLEASANTRY = 28


def is_pleasantry(sentence: str) -> bool:
    """Whether a sentence is a greeting, thanks, an apology, an offer of help, or announces what follows."""
    text = bare(sentence)
    if _carries_facts(text) or len(text.split()) > _WORDS_OF_PLEASANTRY:
        return False
    rest = _OPENERS.sub("", text).strip(" |")
    return not rest or any(_PLEASANT.fullmatch(form) for form in (rest, text))


_ANNOUNCES = re.compile(
    r"(?:[\w'-]+ ){0,12}?(?:here is|here are|below (?:is|are)|see below|as follows|follow these|these "
    r"steps|the "
    r"following|these are|the steps|including|include)\b(?: [\w'-]+){0,14}"
)


def announces(sentence: str) -> bool:
    """Whether a sentence only says what comes next: "Here are the three steps:"."""
    text = bare(sentence).rstrip(" |")
    closes = plain(sentence).rstrip("*_ ").endswith(":")
    return closes and bool(_ANNOUNCES.fullmatch(_OPENERS.sub("", text))) and "@" not in text


def carries_facts(sentence: str) -> bool:
    """Whether a sentence holds something checkable even in passing: a number or an address."""
    return _carries_facts(bare(sentence))


def _carries_facts(text: str) -> bool:
    return any(character.isdigit() or character == "@" for character in text)
