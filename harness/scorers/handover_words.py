"""English words and phrases for handing over to people: who takes over, what is passed on, by which act.

All patterns read the clausal form of a sentence (:func:`clausal`): folded, contractions written out, ``|``
where a clause ends, commas as words of their own. They are general English; none names a product.
"""

from __future__ import annotations

import re
from functools import lru_cache

from harness.scorers import wording
from harness.scorers.phrases import OneOf, Phrases

_CLAUSE_MARKS = re.compile(r"[;:]| - |\.{2,}|…")
_PUNCTUATION = re.compile(r"[^\w\s'|,@%$€£+-]")
_QUOTED = re.compile(r'"[^"]*\s[^"]*"')
# "I can, if you like, transfer you": the condition goes to the end
_PUT_BETWEEN = re.compile(r" , (if you (?:would )?(?:like|prefer|wish|want|agree)[^,|]{0,20}) , ([^|]*)")
_NOT_REALLY = re.compile(r"\bnot (?:only|just|to worry)\b|\b(?:do not|no) (?:worry|worries)\b")


@lru_cache(maxsize=8_192)
def clausal(sentence: str) -> str:
    """A sentence as these patterns read it; what it quotes (two words or more) is left out."""
    text = _QUOTED.sub(" quotation ", wording.plain(sentence))
    text = _CLAUSE_MARKS.sub(" | ", text).replace("couldnot", "could not").replace(",", " , ")
    text = " ".join(_NOT_REALLY.sub(" ", _PUNCTUATION.sub(" ", text)).split())
    return _PUT_BETWEEN.sub(r" \2 \1", text)


# --- who takes over ------------------------------------------------------------------------------------

_ROLES = (
    r"humans?|persons?|people|human beings?|agents?|representatives?|reps?|specialists?|experts?|engineers?|"
    r"technicians?|advis[oe]rs?|colleagues?|co-?workers?|team ?mates?|members?|supervisors?|managers?|"
    r"operators?|coordinators?|officers?|directors?|executives?|principals?|clerks?|receptionists?|"
    r"consultants?|professionals?|counsel+ors?|assistants? manager|analysts?|administrators?|admins?|"
    r"investigators?|adjusters?|underwriters?|brokers?|bankers?|accountants?|bookkeepers?|auditors?|"
    r"lawyers?|solicitors?|attorneys?|doctors?|physicians?|nurses?|dentists?|vets?|veterinarians?|"
    r"pharmacists?|therapists?|midwi(?:fe|ves)|trainers?|teachers?|tutors?|coach(?:es)?|librarians?|"
    r"curators?|editors?|plumbers?|electricians?|mechanics?|locksmiths?|installers?|gardeners?|chefs?|"
    r"sommeliers?|concierges?|interpreters?|designers?|developers?|restorers?|inspectors?|dispatchers?|"
    r"drivers?|couriers?|guides?|cashiers?|pilots?|owners?|planners?|stylists?|ombudsm[ae]n|someone|"
    r"somebody|staff|crew|handlers?|caretakers?|counsel|rangers?|wardens?|registrars?|buyers?|sellers?|"
    r"dealers?|leads?|coders?|programmers?|paramedics?|practitioners?|gps?|chemists?|"
    r"opticians?|optometrists?|lifeguards?|guards?|attendants?|assessors?|appraisers?|valuers?|"
    r"physiotherapists?|heads? of [\w'-]+"
)
_GROUPS = (
    r"teams?|departments?|desks?|offices?|units?|division|group|support|help ?desk|customer (?:service|care)|"
    r"helpline|hotline|engineering|"
    r"tier (?:2|two|3|three)|level (?:2|two|3|three)|second[- ]line|human resources|hr|call cent(?:er|re)|"
    r"back office|depot|workshop"
)
THINGS = (
    r"(?:pages?|sites?|websites?|articles?|portals?|forms?|docs?|plans?|documentation|hours|sections?|"
    r"links?|forums?|settings?|tabs?|menus?|roles?|permissions?|inbox|tools?|features?|workspaces?|"
    r"dashboards?|library|folders?|calendars?|channels?|accounts?|lists?|cards?|fees?|software|error|"
    r"addresses|address|e-?mails?|numbers?|networks?|wi-?fi|wireless|internet|servers?|devices?|phone|"
    r"printer|vouchers?|voicemail|dates?|seats?|flights?|rooms?|app|apps|guides?|url|store|shop|terminal|"
    r"chapters?|handbook|database|beam|gate|gates|platform)"
)
_TAKERS = (
    r"agents?|representatives?|humans?|specialists?|advis[oe]rs?|supervisors?|managers?|operators?|staff|"
    r"colleagues?|technicians?|experts?|live (?:person|support)|real person"
)
# No noun phrase runs on over these: "a user to the group" is no group.
_INNER = (
    r"(?!(?:to|of|for|with|in|on|at|from|by|and|or|is|are|was|were|about|who|that|which|the|can|will|be) )"
    r"[\w'&-]+"
)
_ONLY_ALONE = r"(?:our |the )?(?:billing|sales|security|management|finance|accounting|legal|reception|hr)"
PERSON = (
    rf"(?!(?:the |your )?other (?:person|user|member|people|passenger)\b)(?:(?:one of |any of )?(?:the "
    rf")?(?:{_INNER} ){{0,4}}?(?:{_ROLES}|{_GROUPS})|{_ONLY_ALONE})"
    rf"\b(?!'|-)(?! {THINGS}\b(?! you\b))"
)
DETERMINED = (
    rf"(?:(?:an?|my|our|the|one of (?:our|the|my)|another|any|some|your(?= (?:account|case|personal)))"
    rf"(?: {_INNER}){{0,4}}? (?:{_ROLES}|{_GROUPS})|someone|somebody|staff|support|customer (?:service|care)|"
    r"(?:our|the|my) [\w'-]+ and (?!(?:our|the|my|your|their|an?) )[\w'-]+ "
    r"(?:team|staff|desk|office|department|unit)|"
    rf"(?:human|live) (?:agents?|representatives?|support))\b(?!'|-)(?! {THINGS}\b(?! you\b))"
)
_INSTITUTIONS = (
    r"us|them|bank|restaurant|venue|salon|theat(?:er|re)|museum|supplier|organi[sz]er|airline|carrier|"
    r"manufacturer|vendor|provider|retailer|seller|issuer|embassy|consulate|partners?|"
    r"council|"
    r"police|landlord|hospital|clinic|pharmacy|surgery|authorit(?:y|ies)|agency|insurer|employer|company|"
    r"(?:service |repair |call |contact |visitor )?cent(?:er|re)s?|dealership|post office|town hall|station|"
    r"school|university|branch|branches|hotel|merchant|emergency services|studio|institution|store|"
    r"professional|hosts?"
)
_ADDRESS = (
    r"[\w.+-]+@[\w.-]+|(?:the |this |our )(?:[\w'-]+ )?(?:number|line|hotline|helpline)"
    r"(?: (?:on|at|below|above)\b)?|"
    r"\+?\d[\d -]{2,}(?= (?:from|for|to|or|and|if|when|between|at any)\b| *$| *[|,])"
)
WHOM = OneOf(
    PERSON,
    r"(?:(?:the|our|your) )?[\w'-]+ and [\w'-]+ (?:office|desk|team|department)\b",
    (
        r"(?:(?:the|your|our|their|any of our|a|an) )?(?:[\w'-]+ ){0,3}?",
        rf"(?:{_INSTITUTIONS})\b(?!'|-)",
    ),
    _ADDRESS,
)

# --- what is passed on ---------------------------------------------------------------------------------

_MATTER = (
    r"(?:cases?|issues?|requests?|calls?|chats?|tickets?|problems?|questions?|concerns?|conversations?|"
    r"inquir(?:y|ies)|enquir(?:y|ies)|matters?|reports?|complaints?|claims?|messages?|details|information|"
    r"feedback|logs?|disputes?|appeals?|applications?|forms?|photos?|incident|outage|query|queries|"
    r"everything|"
    r"notes|summary|findings|account|order|booking|reservation|file)"
)
CASE = (
    r"(?:you\b|this|that|it|them|things|everything|customers|callers|(?:customer |client |support "
    r")?(?:chats|calls|conversations)|all of this|(?:all (?:of )?)?"
    r"(?:your|the|this|that|these|his|her|a|any|"
    r"my|our)"
    rf"(?: [\w'-]+){{0,3}}? {_MATTER})"
)
_TALKED = (
    r"(?:you\b|(?:your|the|this) (?:[\w'-]+ ){0,2}?(?:call|chat|case|conversation|issue|request|ticket))"
)
_FILLERS = (
    r"(?:right|straight|directly|immediately|now|away|today|also|just|on|over|along|off|up|through|back|"
    r"internally|shortly|here|in touch|in contact|further|and everything else)"
)
_TO = rf"(?: {_FILLERS})*(?: (?:to|with|onto|into|before|by|for review (?:to|by)|for (?:manual )?review by))"

# --- acts ----------------------------------------------------------------------------------------------


def _forms(stems: str, irregular: str = "") -> str:
    """All forms of regular verbs whose last letter may double or be a mute e, with irregular ones."""
    more = f"|{irregular}" if irregular else ""
    return rf"\b(?:(?:{stems})(?:s|es|d|ed|ing|red|ring|ted|ting|ped|ping|ged|ging|e|y|ies|ied|ying)?{more})"


_PASS = _forms(
    "connect|transfer|switch|patch|rout|redirect|refer|forward|link|assign|hand|pass|escalat|turn|direct|"
    "submit|report|rais|rela|lodg|shar|mov|return|deliver|introduc|flag|log|put",
    "send(?:s|ing)?|sent|bring(?:s|ing)?|brought|tak(?:e|es|ing)|took|taken|get(?:s|ting)?|got",
)
_HAND_YOU = _forms(
    "connect|transfer|patch|rout|redirect|refer|forward|hand|pass|mov",
    "put(?:ting|s)?|send(?:ing)?|giv(?:e|ing)",
)
_OPEN = _forms("open|creat|rais|fil|submit|log|lodg|start|initiat")
_CALL_IN = (
    _forms(
        "fetch|involv|loop|summon",
        "get(?:s|ting)?|got|bring(?:s|ing)?|brought|(?:call|pull)(?:ed|ing)? in|"
        "call(?:ing)?(?= [^|,]* for you)",
    )
    + r"(?: in)?(?: you)?"
)
_ASK = _forms(
    "ask|arrang", r"let(?! (?:me|us)\b)|letting|ha(?:ve|s|d|ving)|get(?:ting)?|got|instruct(?:ed|ing)?"
)
_TELL = _forms("notif|alert|inform|warn|brief|contact|updat|ping")
_HELPS = (
    r"(?:contact|call|ring|reach|look|take|tak(?:e|ing) over|follow|get|review|investigate|help|assist|"
    r"e-?mail|message|handle|dig|join|check|visit|write|phone|text|reply|respond|be in touch|speak|talk|"
    r"give you|have a look|come|pick|chat|explain|step in|see|work)"
)
_NOT_YOURS = (
    r"(?!the (?:person|owner|driver|courier|carrier|seller|buyer|guide)\b"
    r"(?! (?:team|desk|department|support|service)))"
    r"(?!(?:your|another|his|her|their) (?!account manager|case manager|personal|agent|advis|rep))"
)

_ESCALATE = _forms("escalat")

MOVES = Phrases(
    (_PASS, rf" (?:over |on |off |along )?{CASE}{_TO} {_NOT_YOURS}", PERSON),
    (
        _forms("connect|transfer|patch|rout|refer|hand|pass"),
        rf" you{_TO} (?!(?:[\w'-]+ ){{0,4}}?{THINGS}\b)",
    ),
    (_HAND_YOU, rf" you{_TO} ", PERSON),
    (_ESCALATE, rf" {CASE}(?! to (?:[\w'-]+ ){{0,3}}?{THINGS}\b)"),
    (_ESCALATE, r" (?:[\w'-]+ ){0,6}?", OneOf(("to ", PERSON), "internally")),
    (
        _ESCALATE,
        r" (?:[\w'-]+ )?(?:complaints?|disputes?|requests?|cases?|refunds?|bookings?|orders?|claims?)\b",
    ),
    r"\b(?:hand(?:ed|ing)? you (?:over|off)|pass(?:ed|ing)? you (?:on|over|along))\b(?! to)",
    (
        _ESCALATE,
        r"(?= *(?:$|\||,|further\b|at (?:this|the) (?:stage|moment|time|point)\b|right now\b|today\b|yet\b))",
    ),
    (r"\bfind(?:ing)? (?:you )?", OneOf("someone", "somebody", DETERMINED), r" (?:who|that|to)\b"),
    (r"\bma(?:de|king|ke) ", DETERMINED, r" aware\b"),
    r"\bput(?:ting)? in (?:an? |the |your )?(?:support )?(?:ticket|case)\b",
    (_forms("transfer|connect"), rf" {_TALKED}(?! (?:[\w'-]+ ){{0,3}}?(?:to|with|from|into|onto) )"),
    r"\b(?:put|putting|patch|patching) (?:you|your call|customers|callers|guests|people|anyone|anybody) "
    r"through\b",
    (
        r"\b(?:add|adding|added|invit(?:e|ing|ed)|bring|bringing|brought) ",
        DETERMINED,
        r" (?:in)?to (?:this|the|our|your) (?:conversation|chat|call|thread|case|ticket)\b",
    ),
    r"\bhand(?:ed|ing|s)? (?:this|it|things|your [\w'-]+|the (?:case|chat|matter)) (?:over|off)\b(?! to)",
    (
        r"\b(?:have|having|get|getting) (?:it|this|that|them|(?:your|the)(?: [\w'-]+){1,3}?) "
        r"(?:\w+ed|seen|looked (?:at|into)|(?:taken|gone) (?:care of|over)) by ",
        PERSON,
    ),
    (r"\bhand(?:ed|ing|s)? (?:you |this |it |things )?(?:over|off) to ", PERSON),
    (r"\bpass(?:ed|ing|es)? (?:you |this |it )?(?:over|on|along) to ", PERSON),
    (r"\btransfer(?:red|ring|s)?(?: the)?(?: calls?| chat| now)? to ", PERSON),
    r"\btransfer(?:red|ring|s)? calls\b",
    r"\btransferring now\b",
    (r"\b(?:bring|bringing|brought) ", rf"{CASE} to the attention of ", PERSON),
    (r"\b(?:tag|tagged|tagging) in ", DETERMINED),
    (
        r"\bsend(?:ing)? (?:you |out |over )?",
        rf"(?:an? (?:{_INNER} ){{0,2}}?(?:{_ROLES})|someone|somebody)\b(?!')",
    ),
    (_forms("provid|offer|arrang|schedul|request|book"), r" (?:you )?(?:an? )?call ?-?backs?\b"),
    (
        r"\b(?:an?|your|the) (?:call ?-?back|call|visit|appointment) (?:from|with|by) ",
        PERSON,
        r" (?:is|has been|was) (?:now )?(?:booked|scheduled|arranged|set|requested)\b",
    ),
    (
        _OPEN,
        r" (?:you |up )?(?:(?:an?|your|this|the|one|that|another) )?"
        r"(?:(?:[\w'-]+ ){0,3}?tickets?|(?:new |support |service )*(?:cases?|incidents?)|(?:support|service) "
        r"requests?)\b"
        r"(?! (?:for the (?:[\w'-]+ ){0,3}?(?:concert|show|game|match|event|museum|train|flight)|studies|"
        r"study|"
        r"to the|law|files?)\b)",
    ),
    r"\b(?:the|your|an?) (?:[\w'-]+ ){0,2}?(?:ticket|case|support request)(?: #?[\w-]*\d)? (?:is|was|has "
    r"been) "
    r"(?:now |being |just )?(?:created|opened|raised|logged|filed|lodged)\b(?! (?:by|in error))",
    (
        r"\b(?:the|your|a) (?:[\w'-]+ ){0,2}?(?:ticket|case|chat|conversation|request|complaint)"
        r"(?: #?[\w-]*\d)? is (?:now )?(?:open )?with ",
        DETERMINED,
    ),
    (r"\b(?:your |the |a )?ticket #?[\w-]*\d[\w-]* is (?:now )?(?:open )?with ", DETERMINED),
    (
        _forms("submit|rais|mak|log|put(?:ting)? in|plac"),
        r" an? request for an? (?:[\w'-]+ )?(?:call ?-?back|call|visit|appointment) (?:from|with|by) ",
        PERSON,
    ),
    (_ASK, rf" our (?:{_INNER} )?(?:{_INSTITUTIONS})\b(?: (?:in|at|on) [\w'-]+)? to {_HELPS}\b"),
    (
        r"\b(?:wrote to|written to|writing to|e-?mailed|e-?mailing|messaged|messaging|paged|paging) ",
        DETERMINED,
    ),
    (r"\blet(?:ting)? you (?:speak|talk|chat) (?:to|with) ", PERSON),
    (
        rf"\b(?:my|our|a|the) (?:{_INNER} ){{0,2}}?(?:{_ROLES}|{_GROUPS}) ",
        r"(?:takes over|is taking over) (?:from here|now|this|your|the)\b",
    ),
    (_CALL_IN, " ", DETERMINED, r"(?! (?:information|number|name))"),
    (
        _ASK,
        r" (?:for )?(?:an? )?",
        OneOf(PERSON, "anyone", "anybody"),
        rf" (?:member )?(?:to )?(?:[\w'-]+ )?{_HELPS}\b",
    ),
    (r"\b(?:request|ask|requested|asked|requesting|asking) that ", DETERMINED, rf" {_HELPS}s?\b"),
    (r"\b(?:let|letting) ", DETERMINED, r" know\b"),
    (_TELL, r" (?!(?:the|an?|your) (?:[\w'-]+ )?contact (?:person|agent)\b)", DETERMINED),
    (r"\b(?:put|putting) ", CASE, r" in front of ", DETERMINED),
    (
        r"\b(?:reach|reaching|reached) out to ",
        DETERMINED,
        r" (?:[\w'-]+ ){0,2}?(?:on your behalf|for you|about|to|so|and|with your)\b",
    ),
    (
        _forms("arrang|schedul|book|request|organi[sz]|plan", "set(?:ting)? up"),
        r" (?:you )?(?:an?|the|your) (?:[\w'-]+ ){0,2}?(?:calls?|call-?backs?|call back|appointment|visit|"
        r"meeting|chat|consultation|conversation|session) (?:for you )?(?:with|from|by|between you and) ",
        PERSON,
    ),
    (
        _forms("arrang|request|initiat|process|start|perform|mak|offer|complet"),
        r" (?:you )?(?:an? |the |your )?(?:human |live )?(?:transfer|escalation|hand-?over|hand-?off)",
        OneOf((" to ", PERSON), r"(?! (?:of|from|between|to)\b)"),
    ),
    r"\b(?:add|put|plac)(?:e|ed|ing|ting)? you (?:to|in|into|on) the queue\b",
    (r"\b(?:rais|discuss)(?:e|ed|ing)? ", rf"{CASE} with {_NOT_YOURS}", PERSON),
    (
        r"\b(?:the|your|a) ",
        OneOf(("transfer to ", PERSON), "escalation", "hand-?over"),
        r" (?:is|has been|was) (?:now |being )?"
        r"(?:initiated|started|in progress|underway|under way|arranged)\b",
    ),
    (
        r"\b(?:left|leave|leaving|put|putting) (?:in )?an? (?:message|note|word|memo) (?:in )?(?:for|with) ",
        PERSON,
    ),
    (r"\b(?:have|having|get|getting) ", CASE, r" (?:\w+ed|seen|looked at|looked into) by ", PERSON),
    rf"\b(?:provid|offer)(?:e|ing|er|ering)? (?:you )?(?:with )?(?:an? |any )?(?:live |human |real )*"
    rf"(?:{_TAKERS})\b(?! (?:name|number|fee|rates?))",
    (r"\bput(?:ting)? in an? (?:[\w'-]+ )?(?:request|ticket|report|word) (?:with|to) ", PERSON),
    (r"\bflag(?:ged|ging)? ", rf"{CASE} for ", OneOf(r"(?:[\w'-]+ )?(?:review|follow-?up)\b", DETERMINED)),
    (
        r"\bask(?:ed|ing)? ",
        DETERMINED,
        r"(?: (?:from|in|at|of)(?: [\w'-]+){1,4}?)? to (?!you\b)[\w'-]+",
    ),
    (
        r"\b(?:put(?:ting)? in|submit(?:ted|ting)?|arrang(?:e|ed|ing)|schedul(?:e|ed|ing)|"
        r"book(?:ed|ing)?|request(?:ed|ing)?) (?:an? |the |your )?(?:request for (?:an? )?)?(?:[\w'-]+ )?",
        rf"(?:{_ROLES})",
        r" (?:visit|appointment|call|call ?-?back)s?\b",
    ),
    (
        _forms("start|open|launch|initiat"),
        r" (?:an? |the |your )?(?:[\w'-]+ )?"
        r"(?:investigation|inquiry|enquiry|trace|search|claim|review|case|dispute) (?:for you )?with ",
        DETERMINED,
    ),
)
_SHIFTED = OneOf(
    (r"(?:assigned|matched with|paired with) ", DETERMINED),
    r"(?:transferred|escalated|handed (?:over|off)|put through|connected)\b"
    r"(?! (?:[\w'-]+ ){0,2}?(?:to|with|by)\b)",
    r"escalated\b",
    (
        r"(?:transferred|connected|routed|forwarded|redirected|referred|passed|assigned|put through|reported|"
        r"sent|handed|submitted|moved|shared)",
        rf"(?: [\w'-]+){{0,4}}? (?:to|with) {_NOT_YOURS}",
        PERSON,
    ),
    (r"(?:handled|reviewed|taken over|looked at|looked into|taken care of|dealt with) by ", PERSON),
    r"(?:added|put|placed) (?:to|in|into|on) (?:the|a|our) (?:queue|waiting list|wait list|line)\b",
    r"in (?:the|a|our) queue\b",
    (r"(?:speaking|talking|chatting) (?:to|with) ", PERSON),
    (r"hear(?:ing)?(?: back)?(?: soon| shortly)? from ", PERSON),
)
PASSIVE = Phrases(
    (
        rf"\b(?P<subject>you|(?:your|the|this|our) (?:[\w'-]+ ){{0,2}}?{_MATTER}|this|it|everything) ",
        r"(?P<aux>(?:are|is|was|were|will|shall|has|have|can|could|may|might|would|should|cannot|must|need|"
        r"needs)(?: [\w'-]+){0,4}?) ",
        OneOf(_SHIFTED, name="act"),
    )
)
WISHED = Phrases(
    (
        r"\b(?:an? )?(?:call ?-?back|call|talk|chat|visit|conversation|word|help|assistance|support) "
        r"(?:from|with|by) ",
        DETERMINED,
    ),
    (
        r"\b(?:be|being|get) ",
        OneOf(_SHIFTED, r"transferred\b", r"put through\b", r"put in (?:touch|contact) with\b"),
    ),
    (DETERMINED, rf" to (?:[\w'-]+ )?{_HELPS}\b"),
    (rf"\b{CASE} to (?:go|be (?:passed|sent|moved|handed)(?: on| over)?) to ", PERSON),
)
INFORMED = Phrases(
    (
        r"\b",
        OneOf(
            f"(?:{DETERMINED})", r"your (?:[\w'-]+ ){0,2}?(?:manager|advisor|adviser|agent)", name="subject"
        ),
        r" (?P<aux>has|have|is|are|was|were|will|can|could) (?:already |now |just )?(?:be |been |being )?"
        r"(?:notified|informed|alerted|assigned|briefed)\b",
    )
)
THEY_HELP = Phrases(
    (
        r"\b",
        OneOf(
            (
                OneOf(DETERMINED, "your account manager"),
                r"(?: (?:from|in|at|on|of)(?: [\w'-]+){1,5}?| members?| who(?: [\w'-]+){1,4})?",
            ),
            name="subject",
        ),
        r" (?P<aux>will|shall|is|are|can|could|may|might|would|cannot)(?P<not> not)?(?: going to| about to)?"
        r"(?: then| soon| shortly| now| also| personally| gladly| be able to| happily)*(?: be)? "
        r"(?P<act>in touch|on (?:the|his|her|their|its) way|(?:right |back )?with you|reaching|contacting|in "
        r"contact|calling|taking over|taking it from here|contact|"
        r"reach out|get (?:back|in touch)|follow up|call|e-?mail|message|reply|respond|review|look|"
        r"take(?! (?:an?|some) (?!look\b|closer))|"
        r"assist|help|join(?:ing)?|investigate|pick|handle|phone|ring|write|text|visit|give you|step in|"
        r"walk you|guide you|talk|speak|"
        r"going to)\b",
    )
)

TALKS = Phrases(
    (
        r"\b(?P<verb>(?P<asks>contact(?:ing|ed)?|reach(?:ing|ed)? out to|reach(?:ing|ed)?|"
        r"g[eo]t(?:ting)? (?:back )?(?:in|into) (?:touch|contact) with|g[eo]t(?:ting)? (?:a )?hold of|"
        r"ask(?:ing|ed)?(?: for)?|(?:get(?! (?:support|help)\b)|have(?! \w+ed\b| to\b)|find|hire|hiring|"
        r"see|seeing|"
        r"visit|"
        r"visiting|involve|notify|inform))|"
        r"call(?:ing|ed)?|ring(?:ing)?|phon(?:e|ing|ed)|dial(?:ing)?|e-?mail(?:ing|ed)?|messag(?:e|ing|ed)|"
        r"writ(?:e|ing)(?: to)?|wrote to|sp[eo]ak?(?:ing|e)?(?: directly)?(?: to| with)|"
        r"talk(?:ing|ed)?(?: it over)?(?: directly)?(?: to| with)|"
        r"chat(?:ting|ted)?(?: to| with)|consult(?:ing|ed)?(?: with)?|check(?:ing)? with|"
        r"follow(?:ing)? up with|(?:loop|bring|call)(?:ing)? in|"
        r"(?:drop|give|send)(?=(?: [\w'-]+){1,5}? an? (?:line|call|ring|message|e-?mail|note|text)\b)|"
        r"turn(?:ing)? to|"
        r"(?:go|head|walk|drop|stop) (?:in|by|into|to)(?: to| at)?(?= (?:your|an?|any|the|one of our|our) "
        r"(?:[\w'-]+ ){0,2}?(?:branch(?:es)?|station|offices?|desk|clinic|dealership|cent(?:er|re))\b)|"
        r"connect(?:ing)? with|(?:proceed|continu)(?:e|ing)? with|take (?:this|that|it) up with|"
        r"work(?:ing)? with|seek(?:ing)? (?:[\w'-]+ )?(?:help|advice|assistance) from|"
        r"raise (?:it|this|that) with|file (?:a|your|the|this) (?:complaint|claim|report) with|"
        r"(?P<told>(?:direct|address)(?: [\w'-]+){1,5}? to|(?:take|bring) (?:this|that|it|your [\w'-]+|"
        r"any [\w'-]+)(?: questions?| "
        r"requests?)? to|"
        r"tell|let(?! (?:me|us) )(?! (?:your|the) (?:[\w'-]+ ){1,3}?know\b)|report(?:ing)? (?:this|that|"
        r"it|(?:the|your|any)(?: [\w'-]+){1,2}?) to)|"
        r"let(?= (?:your|the) (?:[\w'-]+ ){1,3}?know\b)|send(?:ing)? an? (?:message|note|e-?mail|"
        r"question|request) to|"
        r"(?:submit|open|creat|rais|fil|log)(?:e|ing|ting|ging)? (?=(?:an? |the |your )?(?:[\w'-]+ )?"
        r"(?:tickets?|support requests?|cases?)\b)|"
        r"(?:submit|send|fill in|complete|use)(?:t?ing)? (?=(?:an? |the |our )?(?:[\w'-]+ )?(?:requests?|"
        r"enquir(?:y|ies)|"
        r"messages?|forms?) (?:through|via|using|to our|on our|in the) ))",
        r"\b(?: directly| either| also)? ?",
        OneOf(
            WHOM,
            r"(?:an? |the |your )?(?:[\w'-]+ )?(?:tickets?|support requests?|cases?)\b",
            r"(?:an? |the |our )?(?:[\w'-]+ )?(?:requests?|enquir(?:y|ies)|messages?|forms?) (?=through|"
            r"via|using|to our|"
            r"on our|in the)",
            name="whom",
        ),
    )
)

REFUSALS = Phrases(
    rf"\b(?:no|none of our|not any) (?:{_INNER} ){{0,3}}?(?:{_TAKERS})\b(?! (?:fees?|needed|"
    rf"required))"
    r"(?: from(?: [\w'-]+){1,4}?)? (?:is|are|was|were|can|will|available|free|around|on duty|"
    r"online)\b",
    r"\bnot (?:think|believe|see why)(?: that)? (?:an? |any )?(?:[\w'-]+ )?(?:transfer|escalation|"
    r"human|person|"
    r"hand-?over|specialist|agent|supervisor|manager)[^|,]{0,30}? (?:needed|necessary|required|"
    r"warranted)\b",
    rf"\b(?:{_TAKERS}) (?:[\w'-]+ ){{0,2}}?(?:is|are) (?:currently )?(?:not available|unavailable)\b",
    r"\b(?:nobody|no one|no-one)(?: (?:else|here|from(?: [\w'-]+){1,4}?))? (?:is |are |will be |to )?"
    r"(?:available|around|free|can|could|will|take)\b",
    rf"\bthere (?:is|are) no (?:{_INNER} ){{0,2}}?(?:{_TAKERS})\b(?! (?:fees?|involved))",
    r"\bno need (?:for|of) (?:an? )?(?:[\w'-]+ )?(?:human|person|agent|specialist|manager|supervisor|"
    r"expert|engineer|technician|escalation|transfer|hand-?over)\b",
    r"\b(?:human|live|phone) (?:[\w'-]+ )?(?:agents?|support|representatives?|chat|transfers?|help)\b"
    r"(?: [\w'-]+){0,2}? (?:is|are) (?:currently |unfortunately )?(?:not|unavailable|closed|"
    r"nothing)\b",
    r"\b(?:i|we) (?:do not|cannot|am not able to|am unable to|are not able to|are unable to) "
    r"(?:currently "
    r"|actually )?(?:have|offer|provide|arrange|make|do|perform|initiate|request|see|process)"
    r"(?: [\w'-]+){0,7}? (?:transfers? (?:to|by)|escalations?|hand-?overs?|hand-?offs?|live "
    r"(?:agents?|"
    r"chat|support|person)|human|to a (?:person|supervisor|manager))\b",
    r"\b(?:transfers? to (?:an? )?(?:human|live|person|agents?|people|representative|supervisor|"
    r"manager)"
    r"[^|]{0,30}?|escalat(?:ions?|ing(?: this| it| further)?)|hand-?overs? to (?:an? )?"
    r"(?:human|person|agent|colleague)[^|]{0,20}?|(?:transferr|hand|connect|putt)ing you[^|]{0,40}?)"
    r" (?:is|are|would|will)(?: be)? (?:\w+ )?(?:not|unavailable|impossible)\b",
    (
        r"\b(?:talk|speak|chatt|gett|reach)ing (?:to |with |through to )?",
        PERSON,
        r" (?:is|are) (?:not|impossible)\b",
    ),
    r"\b(?:hotline|helpline|phone line|live chat|call cent(?:er|re)|help ?desk|phone support) (?:is|has "
    r"been|was) "
    r"(?:now |currently |already )?(?:closed|shut|discontinued|withdrawn|unavailable)\b",
    r"\bcall ?-?backs? (?:is|are) (?:\w+ )?not (?:possible|available|offered|an option)\b",
    r"\bno (?:transfer|escalation|hand-?over|ticket|specialist|agent) (?:is|will be|was) "
    r"(?:needed|necessary|required)\b",
    r"\b(?:nobody|no one|no-one)(?: else)?(?: here)? (?:for you )?to (?:speak|talk|chat)\b",
    (
        r"\bno (?:need|way|option|possibility) (?:for you )?to (?:be (?:transferred|passed|connected) to|"
        r"speak (?:to|with)|"
        r"talk (?:to|with)|chat (?:to|with)|involve|reach) ",
        PERSON,
    ),
    r"\byou (?:cannot|will not) be (?:transferred|put through|handed over)\b",
    r"\bnot (?:need|have|going) to (?:be )?(?:escalate|transfer)\w*",
    r"\b(?:do|does) not (?:require|warrant|need|call for|qualify for|meet)(?: [\w'-]+){0,3}? "
    r"(?:escalation|transfer|human|person|hand-?over|specialist|agent|supervisor|manager)\b"
    r"(?! (?:of|from|fee))",
    (
        r"\byou (?:cannot|are not able to|are unable to|will not be able to|would not be able to) "
        r"(?:reach|speak (?:to|with)|talk (?:to|with)|chat (?:to|with)|call|phone|contact|get) ",
        PERSON,
    ),
    (
        r"\b(?:not|never) (?:be )?(?:possible|available|able|allowed)[^|]{0,20}? "
        r"to (?:speak|talk) (?:to|with) ",
        PERSON,
    ),
    r"\b(?:transfer|escalation|hand-?over) (?:would|will|does|could) not (?:help|change|make|solve|"
    r"be|speed)\b",
    r"\bnot (?:able to )?(?:let|allow) you (?:speak|talk)",
    rf"\b(?:i|we)(?: \w+)? do not (?:currently |presently |actually )?have (?:an?|any) "
    rf"(?:{_INNER} ){{0,2}}?(?:{_TAKERS})\b",
    r"\b(?:transfer|escalation|hand-?over|hand-?off)s? (?:to (?:[\w'-]+ ){1,4}?)?(?:is|are) "
    r"(?:\w+ )?not (?:possible|available|an option|allowed|permitted|offered|supported)"
    r"(?= *$| *[|,]| (?:at (?:the|this|night|weekends)|right now|now|here|today|tonight|until|currently|"
    r"outside|on|in|yet)\b| for (?:this|that|these|such|your)(?: \w+ of)? "
    r"(?:request|issue|question|case|kind|type))",
    r"\b(?:nobody|no one|no-one|not anyone|not anybody) (?:that |who |whom )?(?:i|we) (?:can|could)\b",
    r"\bthere (?:is|are) no (?:phone|telephone|live|human|hotline) (?:numbers?|lines?|support|chats?|"
    r"service)\b",
    r"\b(?:i|we) do not (?:currently )?(?:have|offer|provide) (?:an? |any )?"
    r"(?:phone|telephone|live|voice) (?:lines?|numbers?|support|chats?|calls?|help|service)\b",
    rf"\b(?:i|we) do not (?:currently )?have (?:{_INNER} ){{0,2}}?(?:{_TAKERS})"
    r"(?= *$| *[|,]| (?:on|in|at|here|available|for|who|right|to|behind)\b)",
    r"\b(?:our|the) (?:[\w'-]+ ){0,3}?(?:team|staff|agents|advis[oe]rs|desk|department)(?: [\w'-]+)? "
    r"(?:do|does) not "
    r"(?:take|accept|answer|offer|make) (?:[\w'-]+ ){0,2}?(?:calls?|chats?|call ?-?backs?|phone|"
    r"walk-?ins?)\b",
    r"\b(?:transferr|hand|connect|pass|forward|escalat)ing (?:this|your|the|it|that)\b[^|]{0,40}?"
    r" (?:is|are|would) (?:\w+ )?not (?:something|possible|an option)\b",
    (
        PERSON,
        r"[^|]{0,20}?\bbut (?:that|this|it) is (?:not something (?:i|we) (?:can|am|are)|"
        r"something (?:i|we) (?:cannot|am not|am unable))\b",
    ),
    r"\b(?:this|the|our) (?:[\w'-]+ )?(?:service|chat|channel|line|conversation|desk|inbox)s? (?:is|are) "
    r"(?:(?:(?:entirely|only|solely|fully|exclusively) )(?:handled|run|operated|staffed|managed|answered) by|"
    r"(?:handled|run|operated|staffed|managed|answered) "
    r"(?:(?:entirely|only|solely|fully|exclusively) by\b|by [^|,]{0,40}?\b(?:only|alone)\b)|fully automated)",
    (
        r"\b(?:call|chat|call ?-?back|meeting|visit|appointment|conversation) (?:with|from|by) ",
        PERSON,
        r" cannot be \w+",
    ),
    (
        OneOf(DETERMINED, rf"\b(?:{_TAKERS})"),
        r" cannot be (?:requested|summoned|looped in|brought in|called in|involved|reached|contacted|put "
        r"on)\b",
    ),
    r"\bneither (?:i|we) nor (?:my|our|the|any)(?: [\w'-]+){1,3}? (?:can|could|will)\b",
    r"\b(?:i|we) do not have (?:anyone|anybody|(?:an?|any) (?:human|live|real) [\w'-]+)\b",
)

# --- how it is meant -----------------------------------------------------------------------------------

NEGATION = re.compile(
    r"\b(?:cannot|not|never|unable|without|no need|instead of|rather than|no longer|avoid|refuse|decline|"
    r"no way|"
    r"neither|nor|impossible|no option)\b"
)
ABILITY = re.compile(
    r"\b(?:can|could|may|might|would|able to|option (?:to|of)|possible to|(?:happy|glad|pleased|willing|"
    r"ready|free)"
    r" to|offer to|like me to|want me to|prefer (?:to|that i)|to have me|wish me to)\b"
)

_OURS = (
    rf"\b(?:our|the|your|one of our) (?:{_INNER} ){{0,4}}?(?:{_ROLES}|{_GROUPS}|line|number)\b"
    r"(?: (?:that|who|which)(?: [\w'-]+){1,4}?)?"
)
_NUMBER = r"(?:\+?\d[\d -]{2,}\d|[\w.+-]+@[\w.-]+)"
ADVICE = Phrases(
    rf"{_OURS}(?: [\w'-]+){{0,2}}? can (?:also |always |only )?be (?:reached|contacted|called|e-?mailed|"
    rf"messaged|phoned) "
    r"(?:directly )?(?:by|via|at|on|through|over|using|under|below|in|from)\b",
    rf"{_OURS} (?:is|are) (?:always |also )?(?:available|there|reachable|on hand)\b[^|]*?(?:{_NUMBER}|"
    rf"\bif you\b|"
    r"\bshould you\b)",
    rf"{_OURS} (?:is|are) (?:just |only |always )*(?:an?|one) (?:[\w'-]+ )?(?:call|click|message|e-?mail|"
    rf"tap) away\b",
    rf"{_OURS} (?:[|,] )?(?:on |at )?{_NUMBER} (?:[|,] )?(?:can|will|would)(?: be able to| gladly| happily)? "
    r"(?:help|assist|advise|answer|sort|explain|tell|look)\b",
    (
        r"\b(?:should|must|needs? to|ha(?:s|ve) to|can|can only) (?:only )?be (?:requested|raised|"
        r"discussed|addressed|"
        r"directed|reported|sent|sought|taken up|sorted out|settled)(?: directly| only)? (?:from|with|to|by) "
        r"(?!us by\b)",
        WHOM,
    ),
    rf"\b(?:their|its) (?:phone |telephone |direct )?(?:number|line|hotline|e-?mail(?: address)?) is "
    rf"{_NUMBER}",
    (
        r"\b(?:best|right) (?:people|person|team|place|ones?) (?:to|for) [^|,]{0,40}? (?:is|are|would be) ",
        WHOM,
    ),
    rf"\b(?:questions?|requests?|complaints?|queries|claims?|disputes?|enquiries|inquiries)(?: "
    rf"[\w'-]+){{0,4}}? "
    rf"(?:go|goes|belong) (?:straight |directly )?to (?:{_NUMBER}|(?:our|the) (?:{_INNER} "
    rf"){{0,3}}?(?:{_ROLES}|{_GROUPS})\b)",
    (r"\bbest (?:discussed|raised|handled|answered|addressed) (?:with|by) ", WHOM),
    (
        r"\b",
        WHOM,
        r" (?:is|are|would be|will be) (?:the )?(?:best|right|better) "
        r"(?:person|people|place|ones?|contact)\b",
    ),
    (
        r"\b(?:call|word|visit|e-?mail|chat|talk) (?:to|with) ",
        WHOM,
        r" (?:should|would|will|may|might|could|can) (?:help|clear|solve|sort|settle|resolve|be)\b",
    ),
)

OFFERED = Phrases(
    (r"\b(?:would|might|could) it (?:help|be [\w'-]+)(?: for you)? if ", DETERMINED),
    rf"\b(?:would|do|(?:are you )?(?:sure|certain)(?: that)?) you (?:would )?(?:still |rather |really )?"
    rf"(?:like|prefer|want|need) (?:an? |our |the )?(?:real |live |human )*"
    rf"(?:{_TAKERS}|person)\b(?! (?:fees?|roles?))",
    (
        r"\b(?:let me know|tell me|just say|just ask)(?: me)? if you (?:would (?:like|prefer|rather "
        r"have)|want|prefer|need) ",
        DETERMINED,
    ),
    (
        r"\bif you (?:would (?:like|prefer|rather)|want|prefer|need|wish) [^|,]{0,40}?",
        PERSON,
        r"[^|,]{0,30} , (?:i|we) (?:can|could|will|would be happy to|am happy to) "
        r"(?:gladly |certainly |also )?(?:arrange|do|organi[sz]e|set up|sort out|see to) (?:that|this|it|"
        r"one)\b",
    ),
    (
        r"\bif you would (?:feel|be) (?:more comfortable|happier) (?:with|talking to|speaking to) ",
        PERSON,
    ),
)
