"""Arguments of a function, filled from what the user said.

A value is taken only when the talk holds it: by its format, its pattern, its enum, or the words around it
that match the parameter's name and description. A required value that cannot be found stays missing; it
is never made up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from harness.server.llms.extractive.lexicon import TRIED, TROUBLE, alike, synonyms
from harness.text import content_stems, fold, late, sentences


@dataclass(frozen=True, slots=True)
class Filled:
    """Arguments that were found, and names of required ones that were not."""

    arguments: dict[str, Any]
    missing: tuple[str, ...]


_ASKING = frozenset("what which why when where who how whether".split())


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a function as its schema describes it."""

    name: str
    schema: dict[str, Any]

    @property
    def words(self) -> set[str]:
        """Stems of its name."""
        return set(content_stems(_spaced(self.name)))

    @property
    def label(self) -> str:
        """Its name in plain words: ``user_email`` is "e-mail address"; or its description."""
        if _is_mail(self):
            return "e-mail address"
        if fold(self.name) in ("phone", "telephone", "mobile", "tel"):
            return "phone number"
        name = re.sub(r"^(?:user|customer|client|guest|member|patient|reader) ", "", fold(_spaced(self.name)))
        described = re.split(
            r"[.,;:(]|\b(?:as|e\.g|for example)\b", fold(str(self.schema.get("description") or ""))
        )[0]
        described = re.sub(r"^(?:the|a|an) ", "", described.strip())
        tells = set(content_stems(name)) < set(content_stems(described)) and len(described.split()) <= 8
        return described if tells and described.split()[0] not in _ASKING else name

    @property
    def type(self) -> str:
        """Its JSON type without ``null``."""
        declared = self.schema.get("type")
        types = declared if isinstance(declared, list) else [declared]
        known = [t for t in types if isinstance(t, str) and t != "null"]
        return known[0] if known else "string"

    @property
    def nullable(self) -> bool:
        """Whether null may stand for "not said"."""
        declared = self.schema.get("type")
        return isinstance(declared, list) and "null" in declared


def _spaced(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).replace("_", " ").replace("-", " ")


def fill(schema: dict[str, Any], texts: Sequence[str], *, recent: int | None = None) -> Filled:
    """Arguments for a JSON Schema of an object.

    Args:
        schema: The function's parameters.
        texts: What the user said, the most telling first.
        recent: How many of the texts belong to the matter at hand; free text is taken from those only.
    """
    properties = schema.get("properties")
    parameters = [
        Parameter(name, spec if isinstance(spec, dict) else {})
        for name, spec in (properties if isinstance(properties, dict) else {}).items()
    ]
    required = [name for name in schema.get("required") or [] if isinstance(name, str)]
    arguments: dict[str, Any] = {}
    missing: list[str] = []
    for parameter in parameters:
        value = value_of(parameter, texts[:recent] if is_free_text(parameter) else texts, parameters)
        if value is None and parameter.name in required:
            value = _stand_in(parameter, texts)
        if value is not None:
            arguments[parameter.name] = value
        elif parameter.name in required:
            _note_missing(parameter, arguments, missing)
    return Filled(
        arguments, (*missing, *(name for name in required if not any(p.name == name for p in parameters)))
    )


def is_free_text(parameter: Parameter) -> bool:
    """Whether a parameter takes a summary, a message or a reason in the user's words."""
    return (
        "enum" not in parameter.schema
        and parameter.type == "string"
        and _finder(parameter) in (_summary, _reason)
    )


def _note_missing(parameter: Parameter, arguments: dict[str, Any], missing: list[str]) -> None:
    if parameter.nullable:
        arguments[parameter.name] = None
    else:
        missing.append(parameter.name)


def _stand_in(parameter: Parameter, texts: Sequence[str]) -> Any:
    """What the schema offers for a required value nobody named: its default, or the middle of a scale."""
    if "default" in parameter.schema:
        return parameter.schema["default"]
    choices = parameter.schema.get("enum")
    if isinstance(choices, list) and _is_scale(choices):
        return _severity(choices, " ".join(texts))
    return None


def value_of(parameter: Parameter, texts: Sequence[str], siblings: Sequence[Parameter] = ()) -> Any:
    """The value that the texts hold for a parameter, or None."""
    if "const" in parameter.schema:
        return parameter.schema["const"]
    if parameter.type == "array":
        return _array(parameter, texts, siblings)
    if parameter.type == "object":
        inner = fill(parameter.schema, texts)
        return inner.arguments if inner.arguments and not inner.missing else None
    choices = parameter.schema.get("enum")
    if isinstance(choices, list):
        return _choice(parameter, choices, texts)
    finder = _finder(parameter)
    if finder is _summary:
        return summary_of(texts)
    for text in texts:
        value = finder(parameter, text, siblings)
        if value is not None:
            return value
    return None


_Finder = Callable[[Parameter, str, Sequence[Parameter]], Any]


def _finder(parameter: Parameter) -> _Finder:
    if parameter.type == "boolean":
        return _boolean
    if parameter.type in ("integer", "number"):
        return _number
    for belongs, finder in _STRING_FINDERS:
        if belongs(parameter):
            return finder
    return _named_string


def _array(parameter: Parameter, texts: Sequence[str], siblings: Sequence[Parameter]) -> list[Any] | None:
    items = parameter.schema.get("items")
    item = Parameter(parameter.name, items if isinstance(items, dict) else {})
    choices = item.schema.get("enum")
    for text in texts:
        if isinstance(choices, list):
            found: list[Any] = [choice for choice in choices if _mentioned(str(choice), text)]
        elif item.type == "string" and _is_mail(item):
            found = list(dict.fromkeys(MAIL.findall(text)))
        elif _is_code(item) or item.type in ("integer", "number"):
            found = _codes_or_numbers(item, text)
        else:
            value = value_of(item, [text], siblings)
            found = [] if value is None else [value]
        if found:
            return found
    return None


def _codes_or_numbers(item: Parameter, text: str) -> list[Any]:
    if item.type == "string":
        return list(codes_in(item, text))
    numbers = [_as_number(item, match.group(1)) for match in _NUMBER.finditer(text)]
    return [number for number in numbers if number is not None]


# --- choices --------------------------------------------------------------------------------------


_SCALE = late(
    r"^(?:very )?(?:low|lowest|minor|medium|normal|moderate|standard|average|high|highest|major|"
    r"urgent|critical|severe|blocker|emergency|p[0-5]|trivial)$"
)
_RANKS = {
    "top": r"\b(?:urgent\w*|asap|as soon as possible|immediately|emergency|critical|right now|right away|"
    r"blocking|"
    r"blocker|production|outage|(?:is|are|went|was|been) down|nobody|no one|everyone|everybody|"
    r"whole team|entire|"
    r"all (?:of )?(?:our|my|the) (?:\w+ )?(?:users|members|colleagues|staff|people|customers|data|"
    r"files|records|"
    r"computers|devices|work)|data loss|(?:data|everything) (?:is |are |was |were )?(?:lost|gone)|"
    r"lost (?:all|everything|our data|my data|data)|locked out|losing)\b",
    "high": r"\b(?:can ?not|can't|cannot|crash\w*|unusable|important|serious|severe|quickly|unable to|"
    r"tried|still|"
    r"(?:does|did)(?:n't| not) (?:start|open|work|help))\b",
    "low": r"\b(?:minor|whenever|no rush|no hurry|not urgent|cosmetic|small|tiny|when you have time|nice "
    r"to have|"
    r"just a question|typo|suggestion|feature request|not important)\b",
}
_ORDER = (
    "trivial",
    "lowest",
    "very low",
    "low",
    "minor",
    "medium",
    "normal",
    "moderate",
    "standard",
    "average",
    "major",
    "high",
    "severe",
    "highest",
    "critical",
    "blocker",
    "urgent",
    "emergency",
)


def _is_scale(choices: Sequence[Any]) -> bool:
    return len(choices) >= 2 and all(isinstance(c, str) and _SCALE.match(fold(c)) for c in choices)


def _choice(parameter: Parameter, choices: Sequence[Any], texts: Sequence[str]) -> Any:
    scale = _is_scale(choices)
    for text in texts:
        found = _said_choice(parameter, choices, text, scale)
        if found is not None:
            return found
    if scale and any(re.search(pattern, fold(text)) for text in texts for pattern in _RANKS.values()):
        return _severity(choices, " ".join(texts))
    return None


def _said_choice(parameter: Parameter, choices: Sequence[Any], text: str, scale: bool) -> Any:
    near = [choice for choice in choices if _mentioned(str(choice), text)]
    if scale:
        # "high" and "low" are common words: they count beside the parameter's name, or alone as an answer.
        words = "|".join(re.escape(word) for word in fold(_spaced(parameter.name)).split())
        near = [
            c
            for c in near
            if (
                fold(str(c)) in ("urgent", "critical")
                and not re.search(r"\b(?:not|isn't|nothing) (?:\w+ )?urgent", fold(text))
            )
            or re.search(
                rf"\b{re.escape(fold(str(c)))}[ -](?:{words})|"
                rf"\b(?:{words})\b[^.?!]{{0,15}}\b{re.escape(fold(str(c)))}\b|"
                rf"^\W*{re.escape(fold(str(c)))}\W*$",
                fold(text),
            )
        ]
    if near:
        return max(near, key=lambda choice: len(str(choice)))
    if scale:
        return None
    said = set(content_stems(text))
    for choice in choices:
        stems = set(content_stems(_spaced(str(choice))))
        if stems and all(
            s in said or synonyms(s) & said or any(alike(s, other) for other in said) for s in stems
        ):
            return choice
    return None


def _mentioned(choice: str, text: str) -> bool:
    words = re.escape(fold(choice)).replace("_", r"[ _-]").replace(r"\-", r"[ _-]")
    return bool(words) and bool(re.search(rf"(?<!\w){words}(?!\w)", fold(text)))


def _severity(choices: Sequence[Any], text: str) -> Any:
    """The place on a scale of severity that the words suggest; the middle when they suggest none."""
    order = sorted(choices, key=lambda choice: _rank(fold(str(choice))))
    folded = fold(text)
    if re.search(_RANKS["low"], folded):
        return order[0]
    if re.search(_RANKS["top"], folded):
        return order[-1]
    if re.search(_RANKS["high"], folded):
        return order[-2] if len(order) > 3 else order[-1]
    return order[(len(order) - 1) // 2]


def _rank(word: str) -> float:
    if re.fullmatch(r"p[0-5]", word):
        return 100 - int(word[1])
    return _ORDER.index(word) if word in _ORDER else len(_ORDER) / 2


# --- strings by what they are ---------------------------------------------------------------------


MAIL = late(r"[A-Za-z0-9][A-Za-z0-9._%+-]*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}")
_PHONE = late(r"(?<![\w-])\+?\d[\d ()/-]{6,18}\d(?![\w-])")
_URL = late(r"https?://[^\s)>\"']+[^\s)>\"'.,;!?]")
_TIME = late(
    r"\b(?:[01]?\d|2[0-3]):[0-5]\d(?:\s?[ap]\.?m\b\.?)?|\b(?:[01]?\d|"
    r"2[0-3])\.[0-5]\d(?=\s?(?:[ap]\.?m\b|h\b|o'clock))|\b(?:1[0-2]|[1-9])\s?[ap]\.?m\b|"
    r"\bnoon\b|\bmidnight\b",
    re.IGNORECASE,
)
_MONTHS = "january february march april may june july august september october november december".split()
_MONTH = "|".join(f"{month}|{month[:3]}" for month in _MONTHS)
_DATE = late(
    rf"\b(?P<iso>\d{{4}}-\d\d-\d\d)\b|\b(?P<d1>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? "
    rf"(?P<m1>{_MONTH})\b\.?,?(?: (?P<y1>\d{{4}}))?|"
    rf"\b(?P<m2>{_MONTH})\.? (?P<d2>\d{{1,2}})(?:st|nd|rd|th)?\b,?(?: (?P<y2>\d{{4}}))?|"
    rf"\b(?P<dots>\d{{1,2}}[./]\d{{1,2}}[./]\d{{2,4}})\b|"
    r"\b(?P<said>(?:the )?day after tomorrow|tomorrow|today|tonight|(?:next |this |on )?(?:mon|"
    r"tues|wednes|thurs|fri|satur|sun)day|next (?:week|month)|this weekend)\b",
    re.IGNORECASE,
)


def _named_like(pattern: str) -> Callable[[Parameter], bool]:
    return lambda parameter: bool(re.search(pattern, fold(_spaced(parameter.name))))


def _is_mail(parameter: Parameter) -> bool:
    return parameter.schema.get("format") == "email" or bool(
        re.search(r"\be ?-?mail\b|\bmail\b", fold(_spaced(parameter.name)))
    )


def _is_code(parameter: Parameter) -> bool:
    return "pattern" in parameter.schema or bool(
        re.search(
            r"\b(?:id|ids|code|codes|reference|ref|isbn|sku|number|numbers|no|nr|order|account|invoice|"
            r"ticket|barcode|iban|serial|tracking)$",
            fold(_spaced(parameter.name)),
        )
    )


def _mail(parameter: Parameter, text: str, siblings: Sequence[Parameter]) -> str | None:
    found = MAIL.findall(text)
    return found[-1] if found else None


def _first(pattern: re.Pattern[str]) -> _Finder:
    def find(parameter: Parameter, text: str, siblings: Sequence[Parameter]) -> str | None:
        match = pattern.search(text)
        return match.group().strip() if match else None

    return find


def _phone(parameter: Parameter, text: str, siblings: Sequence[Parameter]) -> str | None:
    match = _PHONE.search(_DATE.sub(" ", text))
    return match.group().strip() if match else None


def _date(parameter: Parameter, text: str, siblings: Sequence[Parameter]) -> str | None:
    """The date meant: the n-th date of the text for the n-th date parameter of the function."""
    found = [value for value in (_iso_date(match) for match in _DATE.finditer(text)) if value]
    if not found:
        return None
    dated = [other.name for other in siblings if _is_date(other)]
    place = dated.index(parameter.name) if parameter.name in dated else 0
    return found[place] if place < len(found) else None


def _is_date(parameter: Parameter) -> bool:
    name = fold(_spaced(parameter.name))
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
    found = (_iso_date(match) for match in _DATE.finditer(text))
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
    text = MONEY_AMOUNT.sub(" ", _DATE.sub(" ", text))
    named = [
        w
        for w in fold(_spaced(parameter.name)).split()
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
        wanted = late(pattern)
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


def _summary(parameter: Parameter, text: str, siblings: Sequence[Parameter]) -> str | None:
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
    words = fold(_spaced(parameter.name)).split()
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
    name = fold(_spaced(parameter.name))
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
    if match is None or _DATE.match(match["value"]):
        return None
    return _trimmed(match["value"])


_STRING_FINDERS: tuple[tuple[Callable[[Parameter], bool], _Finder], ...] = (
    (_is_mail, _mail),
    (_named_like(r"\breason\b"), _reason),
    (_named_like(r"\b(?:phone|mobile|telephone|tel|cell)\b"), _phone),
    (
        lambda p: p.schema.get("format") in ("uri", "url") or _named_like(r"\b(?:url|link|website)\b")(p),
        _first(_URL),
    ),
    (lambda p: p.schema.get("format") == "time" or _named_like(r"\btime\b")(p), _first(_TIME)),
    (
        _named_like(
            r"\b(?:summary|description|issue|problem|message|details?|subject|notes?|comments?|text|"
            r"body|topic|request|complaint|question)\b"
        ),
        _summary,
    ),
    (_is_code, _code),
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


# --- numbers and booleans -------------------------------------------------------------------------


_SPELT = {
    word: value
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve".split()
    )
}
_NUMBER = late(
    rf"(?<![\w.,#-])(?:[$€£]\s?)?(\d[\d,]*(?:\.\d+)?|\b(?:{'|'.join(_SPELT)})\b)(?![\d-]*[A-Za-z]*\d)",
    re.IGNORECASE,
)


def _number(parameter: Parameter, text: str, siblings: Sequence[Parameter]) -> int | float | None:
    """The number nearest to words of the parameter; the only number when no other parameter wants one."""
    plain = _TIME.sub(" ", _DATE.sub(" ", MAIL.sub(" ", text)))
    for code in (code for other in siblings if _takes_code(other) for code in codes_in(other, text)):
        plain = plain.replace(code, " ", 1)
    wanted = parameter.words | set(content_stems(str(parameter.schema.get("description") or "")))
    scored: list[tuple[int, int, int | float]] = []
    for match in _NUMBER.finditer(plain):
        value = _as_number(parameter, match.group(1))
        if value is not None:
            hit = _nearness(plain, match.start(), match.end(), wanted)
            scored.append((hit, -match.start(), value))
    if not scored:
        return None
    if len(scored) > 1 and not any(hit for hit, _, _ in scored):
        return _number_in_turn(parameter, scored, siblings)
    best = max(scored)
    rivals = [
        other for other in siblings if other.type in ("integer", "number") and other.name != parameter.name
    ]
    return best[2] if best[0] > 0 or (len(scored) == 1 and not rivals) else None


def _number_in_turn(
    parameter: Parameter, scored: list[tuple[int, int, int | float]], siblings: Sequence[Parameter]
) -> int | float | None:
    """The n-th number for the n-th parameter where all are numbers and there is one for each: "3 by 4"."""
    names = [other.name for other in siblings if other.type in ("integer", "number")]
    if len(names) != len(siblings) or len(names) != len(scored) or parameter.name not in names:
        return None
    return sorted(scored, key=lambda one: -one[1])[names.index(parameter.name)][2]


def _nearness(text: str, start: int, end: int, wanted: set[str]) -> int:
    """How near a parameter's words stand to a number, no other number between; behind it counts most."""
    before = content_stems(re.split(r"\d", text[max(0, start - 25) : start])[-1])[-2:]
    after = content_stems(re.split(r"\d", text[end : end + 25])[0])[:2]
    behind = next((3 - place for place, word in enumerate(after) if _same(word, wanted)), 0)
    return 2 * behind + sum(_same(word, wanted) for word in before)


def _takes_code(parameter: Parameter) -> bool:
    return parameter.type == "string" and _is_code(parameter)


def _same(word: str, wanted: set[str]) -> bool:
    return word in wanted or bool(synonyms(word) & wanted) or any(alike(word, other) for other in wanted)


def _as_number(parameter: Parameter, text: str) -> int | float | None:
    folded = fold(text)
    if len(folded) > 18:
        return None
    value = float(_SPELT[folded]) if folded in _SPELT else _float(folded)
    if value is None or not _in_bounds(parameter.schema, value):
        return None
    if parameter.type == "integer":
        return int(value) if value.is_integer() else None
    return int(value) if value.is_integer() else value


def _float(text: str) -> float | None:
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return None


def _in_bounds(schema: dict[str, Any], value: float) -> bool:
    low, high = schema.get("minimum"), schema.get("maximum")
    return not (isinstance(low, (int, float)) and value < low) and not (
        isinstance(high, (int, float)) and value > high
    )


def _boolean(parameter: Parameter, text: str, siblings: Sequence[Parameter]) -> bool | None:
    words = [
        word for word in parameter.words if word not in content_stems("is has include wants want needs need")
    ]
    folded = fold(text)
    for word in words:
        match = re.search(rf"\b{re.escape(word)}\w*", folded)
        if match:
            before = folded[max(0, match.start() - 20) : match.start()]
            return not re.search(r"\b(?:no|not|without|don't|doesn't|never|skip)\b", before)
    return None
