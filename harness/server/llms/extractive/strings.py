"""Arguments that are texts: addresses, dates, codes, names and summaries, by what a parameter is called."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import date

from harness.server.llms.extractive.lexicon import TRIED, TROUBLE
from harness.server.llms.extractive.parameters import Finder, Parameter, is_mail, spaced
from harness.text import content_stems, fold, late, sentences

MAIL = late(r"[A-Za-z0-9](?:[A-Za-z0-9._%+-]|'(?=\w))*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}")
_PHONE = late(r"(?<![\w-])\+?\d[\d ()/-]{6,18}\d(?![\w-])")
_URL = late(r"https?://[^\s)>\"']+[^\s)>\"'.,;!?]")
TIME = late(
    r"\b(?:[01]?\d|2[0-3]):[0-5]\d(?:\s?[ap]\.?m\b\.?)?|\b(?:[01]?\d|"
    r"2[0-3])\.[0-5]\d(?=\s?(?:[ap]\.?m\b|h\b|o'clock))|\b(?:1[0-2]|[1-9])\s?[ap]\.?m\b|"
    r"\bnoon\b|\bmidnight\b",
    re.IGNORECASE,
)
_MONTHS = "january february march april may june july august september october november december".split()
_MONTH = "|".join(f"{month}|{month[:3]}" for month in _MONTHS)
DATE = late(
    rf"\b(?P<iso>\d{{4}}-\d\d-\d\d)\b|\b(?P<d1>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? "
    rf"(?P<m1>{_MONTH})\b\.?,?(?: (?P<y1>\d{{4}}))?|"
    rf"\b(?P<m2>{_MONTH})\.? (?P<d2>\d{{1,2}})(?:st|nd|rd|th)?\b,?(?: (?P<y2>\d{{4}}))?|"
    rf"\b(?P<dots>\d{{1,2}}[./]\d{{1,2}}[./]\d{{2,4}})\b|"
    r"\b(?P<said>(?:the )?day after tomorrow|tomorrow|today|tonight|(?:next |this |on )?(?:mon|"
    r"tues|wednes|thurs|fri|satur|sun)day|next (?:week|month)|this weekend)\b",
    re.IGNORECASE,
)


def _named_like(pattern: str) -> Callable[[Parameter], bool]:
    return lambda parameter: bool(re.search(pattern, fold(spaced(parameter.name))))


def is_code(parameter: Parameter) -> bool:
    """Whether it takes a code: an order number, an id, what a pattern describes."""
    return "pattern" in parameter.schema or bool(
        re.search(
            r"\b(?:id|ids|code|codes|reference|ref|isbn|sku|number|numbers|no|nr|order|account|invoice|"
            r"ticket|barcode|iban|serial|tracking)$",
            fold(spaced(parameter.name)),
        )
    )


def _mail(parameter: Parameter, text: str, siblings: Sequence[Parameter]) -> str | None:
    found = MAIL.findall(text)
    return found[-1] if found else None


def _first(pattern: re.Pattern[str]) -> Finder:
    def find(parameter: Parameter, text: str, siblings: Sequence[Parameter]) -> str | None:
        match = pattern.search(text)
        return match.group().strip() if match else None

    return find


def _phone(parameter: Parameter, text: str, siblings: Sequence[Parameter]) -> str | None:
    match = _PHONE.search(DATE.sub(" ", text))
    return match.group().strip() if match else None


def _date(parameter: Parameter, text: str, siblings: Sequence[Parameter]) -> str | None:
    """The date meant: the n-th date of the text for the n-th date parameter of the function."""
    found = [value for value in (_iso_date(match) for match in DATE.finditer(text)) if value]
    if not found:
        return None
    dated = [other.name for other in siblings if _is_date(other)]
    place = dated.index(parameter.name) if parameter.name in dated else 0
    return found[place] if place < len(found) else None


def _is_date(parameter: Parameter) -> bool:
    name = fold(spaced(parameter.name))
    return parameter.schema.get("format") in ("date", "date-time") or bool(
        re.search(
            r"\b(?:date|day|when|check ?in|check ?out|arrival|departure|until|deadline|due|from date|to "
            r"date|start|end)\b",
            name,
        )
    )


def _iso_date(match: re.Match[str]) -> str | None:
    if match["iso"] or match["dots"] or match["said"]:
        return re.sub(r"^on ", "", match.group(), flags=re.IGNORECASE)
    day, month, year = match["d1"] or match["d2"], match["m1"] or match["m2"], match["y1"] or match["y2"]
    if year is None:
        return match.group()
    number = next(index for index, name in enumerate(_MONTHS, 1) if name.startswith(month.casefold()[:3]))
    try:
        return date(int(year), number, int(day)).isoformat()
    except ValueError:
        return None


def dates_in(text: str) -> list[str]:
    """The dates of a text that name their year, as ISO 8601 spells them."""
    found = (_iso_date(match) for match in DATE.finditer(text))
    return [value for value in found if value and re.fullmatch(r"\d{4}-\d\d-\d\d", value)]


_CODE = late(
    r"(?<![\w@.])#?([A-Za-z]{1,6}[-_]?\d[\w-]*|\d{3,}(?:-\d+)*|[A-Z]{2,}-[A-Z0-9]{2,}|"
    r"\d+(?:-\d+)+)(?![\w@]|\.\w)"
)


MONEY_AMOUNT = late(
    r"[$€£]\s?\d[\d.,]*|\b\d[\d.,]*\s?(?:(?:usd|eur|gbp|chf|euros?|dollars?|pounds?|percent)\b|[%$€£])",
    re.IGNORECASE,
)


#: A telephone number in groups, whose parts are no codes.
_SPACED_PHONE = late(r"\+\d[\d ()/-]{6,18}\d|(?<![\w-])0\d{2,5}(?:[ /-]\d{2,8})+(?![\w-])")


def codes_in(parameter: Parameter, text: str) -> list[str]:
    """Identifiers in a text that suit a parameter: by its pattern, else tokens with digits near its name."""
    text = _URL.sub(" ", MAIL.sub(" ", text))
    pattern = parameter.schema.get("pattern")
    if isinstance(pattern, str):
        return _matching(pattern, _SPACED_PHONE.sub(" ", text))
    text = MONEY_AMOUNT.sub(" ", DATE.sub(" ", text))
    named = [
        w
        for w in fold(spaced(parameter.name)).split()
        if w not in ("id", "number", "code", "no", "nr", "ref", "reference", "ids", "numbers")
    ]
    if named:
        after = re.search(
            rf"\b{re.escape(named[-1])}s?\b[\s\w]{{0,20}}?[:#]?\s*((?:#?[A-Za-z]*[-_]?\d[\w-]*(?:,? (?:and "
            rf"|or )?)?)+)",
            text,
            re.IGNORECASE,
        )
        if after:
            found = re.findall(r"[A-Za-z]*[-_]?\d[\w-]*", after.group(1))
            if found:
                return found
    return _CODE.findall(text)


def _matching(pattern: str, text: str) -> list[str]:
    try:
        wanted = re.compile(pattern)
    except re.error:
        return []
    tokens = [token.strip(".,;:!?()[]\"'#") for token in text.split()]
    return [token for token in tokens if token and wanted.fullmatch(token)] or [
        upper for upper in (token.upper() for token in tokens) if upper and wanted.fullmatch(upper)
    ]


def _code(parameter: Parameter, text: str, siblings: Sequence[Parameter]) -> str | None:
    found = codes_in(parameter, text)
    return found[0] if found else None


_NOT_A_NAME = frozenset(
    "on using having trying getting sorry sure not still unable glad happy new interested looking "
    "locked stuck very so a an the in at from".split()
)
_PERSON = late(
    r"\b(?:[Mm]y (?:full |first |last )?name is|[Nn]ame:|[Tt]his is|I am|I'm|I’m|[Oo]n behalf of|"
    r"[Uu]nder the name(?: of)?|[Ii]n the name of|[Cc]all me)\s+"
    r"(?P<name>[A-Z][\w'’-]+(?:\s(?:[a-z]{2,3}\s)?[A-Z][\w'’-]+){0,3})"
)


def _person(parameter: Parameter, text: str, siblings: Sequence[Parameter]) -> str | None:
    for match in _PERSON.finditer(text):
        if fold(match["name"].split()[0]) not in _NOT_A_NAME:
            return match["name"]
    return None


_SUMMARY_LENGTH = 240


def summarised(parameter: Parameter, text: str, siblings: Sequence[Parameter]) -> str | None:
    """What is told in one text, as a summary."""
    return summary_of([text])


def _reason(parameter: Parameter, text: str, siblings: Sequence[Parameter]) -> str | None:
    """What follows "because", else the matter in the user's sentences."""
    match = re.search(
        r"\b(?:because(?: of)?|due to|the reason is(?: that)?|since) ([^.!?\n]{3,200})", text, re.IGNORECASE
    )
    return match.group(1).strip(" ,") if match else summary_of([text])


def summary_of(texts: Sequence[str]) -> str | None:
    """The user's own sentences that say what the matter is, oldest first; None when they say nothing.

    Args:
        texts: What the user said, latest first. Earlier messages count when they, too, tell of trouble.
    """
    recent = list(dict.fromkeys(texts))[:4]
    recent = [text for text in recent if not any(text != other and text in other for other in recent)]
    telling = [
        s
        for text in reversed(recent)
        for s in _telling_sentences(text)
        if TROUBLE.search(fold(s)) or TRIED.search(fold(s))
    ]
    if not telling:
        telling = next((found for found in map(_telling_sentences, recent) if found), [])
    words = " ".join(dict.fromkeys(s if s[-1] in ".!?…" else f"{s}." for s in telling[:3]))
    if not words:
        return None
    return words if len(words) <= _SUMMARY_LENGTH else words[: _SUMMARY_LENGTH - 1].rsplit(" ", 1)[0] + "…"


def _telling_sentences(text: str) -> list[str]:
    """The sentences of a message that say something, without the request to pass them on."""
    found = []
    for span in sentences(without_contact(text)):
        sentence = " ".join(span.text.split())
        request = _REQUEST.match(sentence)
        if request and len(content_stems(sentence[request.end() :])) >= 2:
            sentence = sentence[request.end() :].strip()
            sentence = sentence[:1].upper() + sentence[1:]
        if len(content_stems(sentence)) >= 2 and not _BARE_REQUEST.match(fold(sentence)):
            found.append(sentence)
    return found


_REQUEST = late(
    r"(?:please |can you |could you |i want (?:you )?to |i'd like (?:you )?to |i would like (?:you "
    r")?to |i need (?:you )?to )*"
    r"(?:create|open|file|raise|submit|make|log|i need|i want)\b[^.?!]{0,40}?\b(?:ticket|case|"
    r"request|report|incident|complaint)\b\s*"
    r"(?::|-|,|because|about|for|that|since|as|regarding|on|saying)\s*",
    re.IGNORECASE,
)
_BARE_REQUEST = late(
    r"^(?:please |can you |could you |i want (?:you )?to |i'd like (?:you )?to |i would like "
    r"(?:you )?to |i need (?:you )?to )*(?:create|open|file|raise|submit|make|log|"
    r"escalate|connect|transfer|speak|talk|hand|contact)\b(?:(?!\b(?:because|about|for|that|since|"
    r"as|regarding|on|saying|titled|with)\b).)*$|"
    r"^(?:yes|no|ok|okay|sure|thanks|thank you|hi|hello|please)\b\W*(?:please|thanks)?\W*$"
)


def without_contact(text: str) -> str:
    """The text without e-mail addresses and the words that introduce them."""
    text = re.sub(
        rf"(?:,\s*|\band\s+)?(?:\b(?:my|the) )?(?:e-?mail(?: address)?|contact)(?: is|:| "
        rf"=)?\s*{MAIL.pattern}|\b(?:i am|i'm|you can reach me (?:at|under)|reach me (?:at|under)|"
        rf"contact me at|i'm reachable at|write to)\s+{MAIL.pattern}",
        "",
        text,
        flags=re.IGNORECASE,
    )
    return re.sub(r"(?:\s*\.)(?:\s*\.)+", ".", MAIL.sub("", text))


def _query(parameter: Parameter, text: str, siblings: Sequence[Parameter]) -> str | None:
    return " ".join(text.split()) if content_stems(text) else None


_WORDS_OF_VALUE = r"[A-Z0-9][\w'’&+-]*(?:\s(?:of|the|and|&|de|la|[A-Z0-9][\w'’&+-]*))*"


def _named_string(parameter: Parameter, text: str, siblings: Sequence[Parameter]) -> str | None:
    """A value beside the parameter's name (``room: Blue``, "the Blue room"), quoted words, or a place."""
    for name in _names(parameter):
        for pattern in (
            rf"\b{name}\s*(?:is|are|=|:|called|named|of)\s*[\"“'‘]?(?P<value>{_WORDS_OF_VALUE}|"
            rf"[\w'’-]+(?:\s[\w'’-]+){{0,2}})",
            rf"\b(?:the|a|an|my|our|for|in|on|with)\s+(?P<value>{_WORDS_OF_VALUE})\s+{name}s?\b",
            rf"\b{name}\s+(?P<value>{_WORDS_OF_VALUE})",
        ):
            match = re.search(
                rf"(?i:{pattern})" if "[A-Z0-9]" not in pattern else _fold_name(pattern, name), text
            )
            if match:
                return _trimmed(match["value"])
    quoted = re.search(r"[\"“«‘]([^\"”»’]{2,80})[\"”»’]", text)
    if quoted:
        return quoted.group(1)
    return _by_preposition(parameter, text)


def _fold_name(pattern: str, name: str) -> str:
    """The pattern with the parameter's name in any case, while values keep theirs."""
    return pattern.replace(name, f"(?i:{name})")


def _names(parameter: Parameter) -> Iterator[str]:
    words = fold(spaced(parameter.name)).split()
    yield re.escape(" ".join(words))
    for word in reversed(words):
        if word not in ("name", "type", "user", "customer", "id", "title", "value", "text"):
            yield re.escape(word)


def _trimmed(value: str) -> str:
    return re.split(r"\s+(?:and|for|on|at|from|with|please|because|the|of)\b(?!\s[A-Z])", value)[0].strip(
        " .,;\"”'’"
    )


_PLACE_NAMES = late(
    r"\b(?:city|place|location|country|town|region|address|branch|destination|origin|airport|"
    r"station|site|store)\b"
)


def _by_preposition(parameter: Parameter, text: str) -> str | None:
    name = fold(spaced(parameter.name))
    before = r"(?:for|of|called|named|titled|about)"
    if _PLACE_NAMES.search(name):
        before = r"(?:in|at|from|to|near|for)"
    elif re.search(r"\b(?:payee|recipient|receiver|beneficiary|addressee)\b", name):
        before = r"(?:to|for)"
    if re.search(r"\b(?:origin|from)\b", name):
        before = "from"
    elif re.search(r"\b(?:destination|to)\b", name):
        before = "to"
    match = re.search(
        rf"\b{before}\s+(?:the\s+|a\s+|an\s+)?"
        rf"(?P<value>[A-Z][\w'’-]*(?:\s(?:of|the|and|[A-Z][\w'’-]*))*)",
        text,
    )
    if match is None or DATE.match(match["value"]):
        return None
    return _trimmed(match["value"])


_STRING_FINDERS: tuple[tuple[Callable[[Parameter], bool], Finder], ...] = (
    (is_mail, _mail),
    (_named_like(r"\breason\b"), _reason),
    (_named_like(r"\b(?:phone|mobile|telephone|tel|cell)\b"), _phone),
    (
        lambda p: p.schema.get("format") in ("uri", "url") or _named_like(r"\b(?:url|link|website)\b")(p),
        _first(_URL),
    ),
    (lambda p: p.schema.get("format") == "time" or _named_like(r"\btime\b")(p), _first(TIME)),
    (
        _named_like(
            r"\b(?:summary|description|issue|problem|message|details?|subject|notes?|comments?|text|"
            r"body|topic|request|complaint|question)\b"
        ),
        summarised,
    ),
    (is_code, _code),
    (_is_date, _date),
    (_named_like(r"\b(?:query|search|keywords?|term|terms)\b"), _query),
    (
        _named_like(
            r"^(?:(?:full|first|last|your|user|customer|guest|patient|member|contact|caller|person|reader|"
            r"client) )?(?:name|person|guest|patient|customer|caller)$"
        ),
        _person,
    ),
)


def string_finder(parameter: Parameter) -> Finder:
    """What finds a text for a parameter, by what the parameter is called."""
    return next((finder for belongs, finder in _STRING_FINDERS if belongs(parameter)), _named_string)


def is_free_text(parameter: Parameter) -> bool:
    """Whether a parameter takes a summary, a message or a reason in the user's words."""
    return (
        "enum" not in parameter.schema
        and parameter.type == "string"
        and string_finder(parameter) in (summarised, _reason)
    )
