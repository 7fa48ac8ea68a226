"""Which functions a message asks for, and what their outputs say in words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from harness.server.llms.extractive.arguments import Filled, fill
from harness.server.llms.extractive.handover import is_informational
from harness.server.llms.extractive.lexicon import alike, in_usual_words, synonyms
from harness.server.llms.extractive.parameters import Parameter
from harness.server.llms.extractive.schema import Context, plain, value_for
from harness.server.llms.extractive.strings import codes_in, is_free_text
from harness.text import content_stems, fold, late, sentences, stem


class Function(msgspec.Struct, frozen=True):
    """A function tool: what it is called, what it does, which arguments it takes."""

    name: str
    description: str
    schema: dict[str, Any]

    @property
    def name_words(self) -> tuple[str, ...]:
        """The words of its name: ``create_support_ticket`` gives create, support, ticket."""
        return tuple(
            re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", self.name)
            .replace("_", " ")
            .replace("-", " ")
            .lower()
            .split()
        )

    @property
    def hands_over(self) -> bool:
        """Whether it brings people in: a ticket, a callback, a case."""
        return bool(
            (_HANDS_OVER_BY_NAME.search(" ".join(self.name_words)) and not self.reads)
            or (_HANDS_OVER_BY_TEXT.search(fold(self.description)) and not self.reads)
        )

    @property
    def reads(self) -> bool:
        """Whether it looks something up instead of doing something."""
        words = self.name_words
        return bool(words) and (words[0] in _READING or (len(words) > 1 and words[-1] in _READ_THINGS))

    @property
    def takes_mail(self) -> bool:
        """Whether one of its parameters is an e-mail address."""
        properties = self.schema.get("properties")
        return isinstance(properties, dict) and any("mail" in str(name).casefold() for name in properties)


_READING = frozenset(
    "get check lookup look find fetch search track list show read query retrieve view count calculate".split()
)
#: What can only be looked up: ``order_status``, ``account_balance``.
_READ_THINGS = frozenset("status state balance availability history forecast".split())
_HANDS_OVER_BY_NAME = late(
    r"\b(?:tickets?|escalat\w*|hand ?over|handoff|hand off|callback|incident|human|agent|complaint|"
    r"notify (?:team|staff|desk|human|support)|contact (?:team|staff|human|support))\b|\bsupport "
    r"(?:case|request)\b|\bcase\b"
)
_HANDS_OVER_BY_TEXT = late(
    r"\b(?:support ticket|ticket for|escalat\w*|hand(?:s|ing)? (?:\w+ ){0,3}?over|human (?:agent|"
    r"support|colleague)|to a (?:human|person|colleague|librarian|nurse|specialist)|(?:notify|"
    r"alert|inform)\w* (?:a |an |the |our )?(?:\w+ )?(?:team|staff|desk|colleague|human|librarian|"
    r"nurse|agent))\b"
)


def functions_of(tools: Sequence[dict[str, Any]]) -> tuple[Function, ...]:
    """The function tools among the tools of a request, nested as the Assistants API has them or flat."""
    return tuple(_functions(tools))


def _functions(tools: Sequence[dict[str, Any]]) -> Iterator[Function]:
    for tool in tools:
        if tool.get("type") != "function":
            continue
        inner = tool.get("function") if isinstance(tool.get("function"), dict) else tool
        name = inner.get("name") if inner else None
        if inner and isinstance(name, str):
            given = inner.get("parameters")
            schema = plain(given) if isinstance(given, dict) else {}
            yield Function(name, str(inner.get("description") or ""), schema)


class Call(msgspec.Struct, frozen=True):
    """A function that the message asks for, with the arguments found so far."""

    function: Function
    filled: Filled

    def with_choices(self) -> Call:
        """The call with the first of the allowed values wherever one of a few had to be chosen."""
        specs, told = self.function.schema.get("properties") or {}, dict(self.filled.arguments)
        for name in self.filled.missing:
            choices = (specs.get(name) or {}).get("enum")
            if choices:
                told[name] = choices[0]
        return Call(self.function, Filled(told, tuple(n for n in self.filled.missing if n not in told)))

    def completed(self, text: str) -> Call:
        """The call with what the schema allows wherever a required value was not found."""
        specs, found = self.function.schema.get("properties") or {}, self.filled.arguments
        told = dict(found)
        for name, spec in specs.items():
            if name in self.filled.missing or isinstance(found.get(name), dict):
                told[name] = _with_stand_ins(found.get(name), value_for(name, spec, text, Context()))
        return Call(self.function, Filled(told, ()))


def _with_stand_ins(found: Any, stand_in: Any) -> Any:
    """What was found, in objects with the stand-ins for what was not."""
    if found is None:
        return stand_in
    if not (isinstance(found, dict) and isinstance(stand_in, dict)):
        return found
    return {**found, **{name: _with_stand_ins(found.get(name), value) for name, value in stand_in.items()}}


# --- choosing -------------------------------------------------------------------------------------


_WISH = late(
    r"^(?:please |kindly |also |then |and |so |ok(?:ay)?,? |yes,? |hi,? |hello,? |thanks,? "
    r")*(?:can you|could you|would you|will you|i want(?: you)? to|i'd like(?: you)? to|i would "
    r"like(?: you)? to|"
    r"i need(?: you)? to|i need|i want|i'd like|i would like|we need|we'd like|we want|we would "
    r"like|let's|help me|go ahead and|i wish to|i am going to|may i|can i|could i|can we|could we|"
    r"please|"
    r"i'd love to|i have to|is it possible to)\b"
)
_REFUSAL = late(r"\b(?:do not|don't|dont|never|no need to|not yet|without|rather not|shouldn't)\b")
_CLAUSES = late(
    r"(?<=[.!?\n])\s+|;\s*|,?\s+(?:and|then|also)\s+(?:also\s+|then\s+|please\s+)?(?=[a-z]+\s+(?:a|"
    r"an|the|my|our|me|for|it|order|room|ticket|number|#)\b)"
)
_ACTING = frozenset(
    "create make book reserve open file submit raise log place add schedule cancel return send "
    "register renew extend start request order change update set delete remove report issue "
    "transfer pay refund block activate deactivate enroll apply reset move notify put sign borrow "
    "hold arrange give buy purchase subscribe unsubscribe get reschedule modify edit enter end stop "
    "switch pause freeze lock unlock assign invite approve reject close replace exchange page call".split()
)


def is_acting(function: Function) -> bool:
    """Whether a function changes something."""
    acts = bool(function.name_words) and function.name_words[0] in _ACTING - {"get"}
    return acts and not function.reads


def calls_asked_for(functions: Sequence[Function], said: str, earlier: Sequence[str]) -> list[Call]:
    """The calls that a message asks for, one for each clause that wishes something done."""
    calls: list[Call] = []
    clauses = [clause.strip() for clause in _CLAUSES.split(said) if clause.strip()]
    for clause in clauses:
        function = _best(functions, clause)
        if function is not None:
            calls += _filled_calls(function, clause, [clause, said, *reversed(earlier)])
    if not calls:
        function = _best(functions, said)
        calls = _filled_calls(function, said, [said, *reversed(earlier)]) if function else []
    return _without_repetition(calls)


def _filled_calls(function: Function, clause: str, texts: Sequence[str]) -> list[Call]:
    """One call, or one for each of several identifiers named at once."""
    for name, spec in (function.schema.get("properties") or {}).items():
        parameter = Parameter(name, spec if isinstance(spec, dict) else {})
        single = parameter.type in ("string", "integer") and name in (function.schema.get("required") or [])
        if not single or not re.search(r"(?:id|number|code|no|reference)$", name.casefold()):
            continue
        codes = list(dict.fromkeys(codes_in(parameter, clause)))
        if len(codes) > 1:
            return [
                Call(function, _with(fill(function.schema, texts), parameter, code)) for code in codes[:5]
            ]
    return [Call(function, fill(function.schema, texts))]


def _with(filled: Filled, parameter: Parameter, code: str) -> Filled:
    value = int(code) if parameter.type == "integer" and code.isdigit() else code
    return Filled(
        filled.arguments | {parameter.name: value}, tuple(n for n in filled.missing if n != parameter.name)
    )


def _without_repetition(calls: Sequence[Call]) -> list[Call]:
    seen: dict[str, Call] = {}
    for call in calls:
        key = json.dumps([call.function.name, call.filled.arguments], sort_keys=True, default=str)
        same_name = [k for k, other in seen.items() if other.function.name == call.function.name]
        if same_name and (call.filled.missing or any(seen[k].filled.missing for k in same_name)):
            continue
        seen.setdefault(key, call)
    return list(seen.values())


def _best(functions: Sequence[Function], clause: str) -> Function | None:
    scored = [(_score(function, clause), -index, function) for index, function in enumerate(functions)]
    best = max(scored, default=(0.0, 0, None), key=lambda entry: entry[:2])
    return best[2] if best[0] >= 1.0 else None


def _score(function: Function, clause: str) -> float:
    """How much a clause asks for a function: its verb, its object, words of its description."""
    text = fold(in_usual_words(clause))
    said = set(content_stems(text)) | {stem(word) for word in text.split()}
    if not function.name_words or _REFUSAL.search(text):
        return 0.0
    verb, nouns = function.name_words[0], function.name_words[1:]
    objects = [
        stem(noun)
        for noun in nouns
        if noun not in ("support", "new", "by", "for", "user", "customer", "a", "to", "the")
    ]
    share = sum(_said(noun, said) for noun in objects) / len(objects) if objects else 0.0
    described = set(content_stems(function.description))
    known = sum(1 for word in said & described if len(word) > 2)
    if function.reads:
        return _score_of_reading(function, clause, share, known)
    wishes = bool(_WISH.match(text)) or _is_imperative(text)
    acts = _said(stem(verb), said) or any(stem(other) in said for other in _same_act(verb))
    if (share >= 0.5 or acts) and "?" not in text and _gives_everything(function, clause):
        return 1.0 + share
    if is_informational(text) and not _WISH.match(text):
        return 0.0
    if not (wishes or acts) or (
        re.match(r"(?:can|could|may) (?:i|we)\b|is it possible", text) and not _has_values(function, clause)
    ):
        return 0.0
    if objects:
        named_act = wishes and any(stem(noun) in said for noun in nouns if noun in _ACTING)
        fits = share >= 0.5 and (acts or named_act or (wishes and share == 1.0))
        return max(0.5 * acts + share + 0.1 * min(known, 4), float(named_act)) if fits else 0.0
    return (0.9 + 0.1 * min(known, 4)) if acts and known else 0.0


def _score_of_reading(function: Function, clause: str, share: float, known: int) -> float:
    """Looking up is asked for by questions too, when what to look up can be found in them."""
    text = fold(in_usual_words(clause))
    if share < 0.5 or re.match(r"how (?:do|can|to)\b", text):
        return 0.0
    filled = fill(function.schema, [clause])
    required = function.schema.get("required") or []
    own = bool(re.search(r"\b(?:my|our|me|i|we)\b", text))
    if required and len(filled.missing) < len(required):
        return 1.0 + share + 0.1 * min(known, 4)
    return (
        0.6 + share / 2 + 0.1 * min(known, 4)
        if own and known >= 1 and (not required or share == 1.0 or known >= 2)
        else 0.0
    )


def _has_values(function: Function, clause: str) -> bool:
    """Whether a clause gives a required value, other than one that any words could be."""
    found = fill(function.schema, [clause]).arguments
    specs = function.schema.get("properties") or {}
    return any(
        name in found and not is_free_text(Parameter(name, specs.get(name) or {}))
        for name in function.schema.get("required") or []
    )


def _gives_everything(function: Function, clause: str) -> bool:
    """Whether a clause holds every required value, at least two of them such as few words could be."""
    required = function.schema.get("required") or []
    specs = function.schema.get("properties") or {}
    given = fill(function.schema, [clause])
    telling = [name for name in required if not is_free_text(Parameter(name, specs.get(name) or {}))]
    return not given.missing and len(telling) >= 2


def _said(word: str, said: set[str]) -> bool:
    return word in said or bool(synonyms(word) & said) or any(alike(word, other) for other in said)


def _is_imperative(text: str) -> bool:
    first = re.sub(
        r"^(?:please |kindly |also |then |and |just |now |ok(?:ay)?,? |yes,? |hi,? |hello,? )+", "", text
    ).split(maxsplit=1)
    return bool(first) and first[0].strip(",.!") in _ACTING


_ACTS = (
    frozenset("create make open file submit raise log add start issue register".split()),
    frozenset("book reserve schedule make arrange".split()),
    frozenset("cancel remove delete call off".split()),
    frozenset("change update modify edit move reschedule set".split()),
    frozenset("order buy purchase place".split()),
    frozenset("renew extend prolong".split()),
    frozenset("return refund send".split()),
    frozenset("block lock freeze stop disable deactivate".split()),
)


def _same_act(verb: str) -> frozenset[str]:
    return frozenset(other for acts in _ACTS if verb in acts for other in acts)


# --- outputs in words -----------------------------------------------------------------------------


_FAILED = late(
    r"\b(?:error|failed|failure|exception|unavailable|is down|timed out|timeout|not found|denied|"
    r"invalid|could not|cannot|unable)\b",
    re.IGNORECASE,
)


class Report(msgspec.Struct, frozen=True):
    """What the output of a function says: whether it worked, and in which words."""

    worked: bool
    text: str


def report(name: str, output: str) -> Report:
    """The output of a function in plain words; errors are told as such."""
    try:
        value = json.loads(output)
    except ValueError:
        value = output
    if isinstance(value, dict):
        return _report_of_object(name, value)
    if isinstance(value, list):
        return Report(True, _listed(value))
    text = " ".join(str(value).split())
    if not text:
        return Report(True, "")
    return Report(not _FAILED.search(text), _sentence(text))


def _report_of_object(name: str, value: dict[str, Any]) -> Report:
    error = next((value[key] for key in ("error", "errors", "exception") if value.get(key)), None)
    status = fold(str(value.get("status", "")))
    if (
        error is not None
        or value.get("success") is False
        or value.get("ok") is False
        or status in ("error", "failed", "failure")
    ):
        message = error if error is not None else value.get("message") or value.get("reason") or status
        if isinstance(message, dict):
            message = message.get("message") or json.dumps(message, sort_keys=True)
        return Report(False, _sentence(" ".join(str(message).split())))
    parts = list(_fields(value))
    return Report(True, " ".join(parts))


def _fields(value: dict[str, Any]) -> Iterator[str]:
    for key, entry in list(value.items())[:12]:
        label = _label(str(key))
        if isinstance(entry, dict):
            yield from (f"{label}: {part}" for part in _fields(entry))
        elif isinstance(entry, list):
            yield f"{label}: {_listed(entry)}"
        elif fold(str(key)) in ("message", "note", "info", "answer", "result", "text") and isinstance(
            entry, str
        ):
            yield _sentence(" ".join(entry.split()))
        elif isinstance(entry, bool):
            if key not in ("success", "ok"):
                yield f"{label}." if entry else f"Not {label.lower()}."
        elif entry is not None:
            yield f"{label}: {_plain(entry)}."


def _label(key: str) -> str:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", key).replace("_", " ").replace("-", " ").split()
    text = " ".join(words)
    text = re.sub(r"^(\w+) id$", r"\1 number", text, flags=re.IGNORECASE)
    return text[:1].upper() + text[1:]


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return " ".join(str(value).split())


def _listed(values: Sequence[Any]) -> str:
    shown = [" ".join(_fields(v)) if isinstance(v, dict) else _plain(v) for v in values[:10]]
    more = f" and {len(values) - 10} more" if len(values) > 10 else ""
    return ("; ".join(shown) if shown else "nothing found") + more + "."


def _sentence(text: str) -> str:
    text = text[:600]
    return text if not text or text[-1] in ".!?" else f"{text}."


def separate_question(functions: Sequence[Function], said: str) -> str:
    """The part of a message that asks for information besides what functions do; may be empty."""
    asking = [
        s.text
        for s in sentences(said)
        if s.text.rstrip().endswith("?") and is_informational(fold(s.text)) and not _best(functions, s.text)
    ]
    return " ".join(asking)
