"""The parameters of functions, as their schemas describe them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from harness.text import content_stems, fold

_ASKING = frozenset("what which why when where who how whether".split())


class Parameter(msgspec.Struct, frozen=True):
    """One parameter of a function as its schema describes it."""

    name: str
    schema: dict[str, Any]

    @property
    def words(self) -> set[str]:
        """Stems of its name."""
        return set(content_stems(spaced(self.name)))

    @property
    def label(self) -> str:
        """Its name in plain words: ``user_email`` is "e-mail address"; or its description."""
        if is_mail(self):
            return "e-mail address"
        if fold(self.name) in ("phone", "telephone", "mobile", "tel"):
            return "phone number"
        name = re.sub(r"^(?:user|customer|client|guest|member|patient|reader) ", "", fold(spaced(self.name)))
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


def spaced(name: str) -> str:
    """A name in words: ``user_email`` and ``userEmail`` are two words each."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).replace("_", " ").replace("-", " ")


Finder = Callable[[Parameter, str, Sequence[Parameter]], Any]


def is_mail(parameter: Parameter) -> bool:
    """Whether it takes an e-mail address."""
    return parameter.schema.get("format") == "email" or bool(
        re.search(r"\be ?-?mail\b|\bmail\b", fold(spaced(parameter.name)))
    )
