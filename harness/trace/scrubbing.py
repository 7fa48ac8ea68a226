"""Secrets are taken out of what is written: keys, tokens, passwords, on request e-mail addresses.

Each leaves a mark that says what stood there, ``[redacted: bearer token]``; equal texts leave equal marks, so
that what is written stays the same from run to run. A text with marks can be compared with one that
still has its secrets (``same_text``), without knowing them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from harness.errors import SettingsError

SHORTEST_SECRET = 8
"""Shorter values, and words of fewer than sixteen letters, are left: without them nothing could be read."""

_R = TypeVar("_R", bound=msgspec.Struct)
_SECRET_NAMES = re.compile(r"(?:_|\A)(?:API_?KEY|KEY|TOKEN|SECRET|PASSWORD)\Z")
_MARK = re.compile(r"\[redacted: [a-z -]+\]")
_REMEMBERED_TEXTS = 4096  # the same passages are found again and again


class Rule(msgspec.Struct, frozen=True):
    """One kind of secret.

    Attributes:
        kind: What it is, in the mark that is left: lower-case letters, spaces and hyphens.
        pattern: Finds it; of a pattern with a group ``secret`` only that is taken out.
        signs: One of these stands in every text that has such a secret; without any, every text is looked
            through. Searching for signs costs next to nothing, and most texts have none.
    """

    kind: str
    pattern: re.Pattern[str]
    signs: tuple[str, ...] = ()

    def applied(self, text: str) -> str:
        """The text without this kind of secret."""
        return self.pattern.sub(self._marked, text)

    def _marked(self, match: re.Match[str]) -> str:
        mark = f"[redacted: {self.kind}]"
        if "secret" not in self.pattern.groupindex:
            return mark
        start, end = (place - match.start() for place in match.span("secret"))
        return match[0][:start] + mark + match[0][end:]


def _rule(kind: str, pattern: str, *signs: str) -> Rule:
    return Rule(kind, re.compile(pattern), signs)


# A value that is long and has a digit is a secret; "Bearer YOUR_API_KEY" is documentation.
_LONG_VALUE = r"(?P<secret>(?=[^\s\"'\\,;]*\d)[A-Za-z0-9._~+/=-]{16,})"
RULES = (
    _rule(
        "private key",
        r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----(?s:.*?)(?:-----END (?:[A-Z0-9]+ )*PRIVATE KEY-----|\Z)",
        "PRIVATE KEY-----",
    ),
    _rule("api key", r"(?<![A-Za-z0-9])sk-(?=[A-Za-z0-9_-]*\d)[A-Za-z0-9_-]{16,}", "sk-"),
    _rule("aws key", r"(?<![A-Za-z0-9])A(?:KIA|SIA)[A-Z0-9]{16}(?![A-Za-z0-9])", "AKIA", "ASIA"),
    _rule(
        "github token",
        r"(?<![A-Za-z0-9])(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,})",
        *("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
    ),
    _rule("google key", r"(?<![A-Za-z0-9])AIza[A-Za-z0-9_-]{35}", "AIza"),
    _rule("slack token", r"(?<![A-Za-z0-9])xox[abeoprs]-[A-Za-z0-9-]{10,}", "xox"),
    _rule(
        "web token",
        r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",
        "eyJ",
    ),
    _rule("bearer token", rf"(?i:\bbearer)\s+{_LONG_VALUE}", "earer", "EARER"),
    _rule(
        "authorization",
        rf"(?i:\bauthorization)\\?[\"']?\s*[:=]\s*\\?[\"']?(?:(?i:basic|token|apikey|digest)\s+)?{_LONG_VALUE}",
        *("uthorization", "UTHORIZATION"),
    ),
    _rule(
        "api key",
        rf"(?i:\b(?:x-)?api[-_]?key)\\?[\"']?\s*[:=]\s*\\?[\"']?{_LONG_VALUE}",
        *("key", "Key", "KEY"),
    ),
    _rule("password", r"(?<=://)[^\s/:@\"']+:(?P<secret>[^\s/:@\"'\[]+)@", "://"),
)
"""What is always taken out, in this order."""

EMAILS = _rule("e-mail", r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,}(?![\w-])", "@")
"""Taken out on request only: suites often expect an address in an answer or argument."""


class Scrubber:
    """Takes secrets out of texts, and out of records all through.

    Args:
        secrets: Values that are secret wherever they stand; what may be a word is left.
        patterns: Regular expressions of a user's own; with a group ``secret``, only that is taken out.
        emails: Whether e-mail addresses are taken out too.

    Raises:
        SettingsError: A pattern is no regular expression, or matches where nothing is.
    """

    def __init__(
        self, secrets: Iterable[str] = (), *, patterns: Iterable[str] = (), emails: bool = False
    ) -> None:
        own = tuple(Rule("secret", _compiled(pattern)) for pattern in patterns)
        known = _known(secrets)
        self._rules = (*known, *own, *RULES, *((EMAILS,) if emails else ()))
        self._signs = tuple({sign.encode() for rule in self._rules for sign in rule.signs})
        self._may_be_anywhere = any(not rule.signs for rule in self._rules)
        self._cached = lru_cache(_REMEMBERED_TEXTS)(self._scrubbed)

    def text(self, text: str) -> str:
        """The text without secrets."""
        return self._cached(text)

    def record(self, record: _R) -> _R:
        """The record without secrets in any of its texts; the very same one when there are none."""
        if not self._may_be_anywhere and not self._has_signs(record):
            return record
        plain = msgspec.to_builtins(record)
        clean = self.data(plain)
        return record if clean == plain else msgspec.convert(clean, type(record), strict=False)

    def data(self, data: Any) -> Any:
        """Plain JSON data without secrets in any text; keys are left, for they are names."""
        if isinstance(data, str):
            return self.text(data)
        if isinstance(data, Mapping):
            return {key: self.data(value) for key, value in data.items()}
        if isinstance(data, list | tuple):
            return [self.data(value) for value in data]
        return data

    def _has_signs(self, record: msgspec.Struct) -> bool:
        try:
            written = msgspec.json.encode(record)
        except UnicodeEncodeError:  # half a surrogate pair
            return True
        return any(sign in written for sign in self._signs)

    def _scrubbed(self, text: str) -> str:
        for rule in self._rules:
            if not rule.signs or any(sign in text for sign in rule.signs):
                text = rule.applied(text)
        return text


def secrets_in(environment: Mapping[str, str]) -> list[str]:
    """Values of variables whose names say that they are secret: ``..._KEY``, ``..._TOKEN`` and the like."""
    return [value for name, value in environment.items() if _SECRET_NAMES.search(name.upper())]


def same_text(written: str, sent: str) -> bool:
    """Whether a text that was written is this one, secrets apart."""
    if written == sent:
        return True
    if "[redacted: " not in written:
        return False
    parts = [re.escape(part) for part in _MARK.split(written)]
    return re.fullmatch(".+?".join(parts), sent, re.DOTALL) is not None


def _known(secrets: Iterable[str]) -> tuple[Rule, ...]:
    """A rule for each known value, the longest first: one may be part of another."""
    usable = sorted({value for value in secrets if not _may_be_a_word(value)}, key=lambda v: (-len(v), v))
    return tuple(Rule("secret", re.compile(re.escape(value)), _sign_of(value)) for value in usable)


def _may_be_a_word(value: str) -> bool:
    return len(value) < (2 * SHORTEST_SECRET if value.isalpha() else SHORTEST_SECRET)


def _sign_of(value: str) -> tuple[str, ...]:
    """The value itself, where JSON spells it as it is."""
    plain = value.isascii() and value.isprintable() and not set(value) & {'"', "\\"}
    return (value,) if plain else ()


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise _unusable(pattern, f"is no regular expression: {error}") from error
    if compiled.match(""):
        raise _unusable(pattern, "matches where nothing is, so it would spoil every text")
    return compiled


def _unusable(pattern: str, why: str) -> SettingsError:
    return SettingsError(
        f"scrub: {pattern!r} {why}",
        hint=r"write the shape of your secrets, for example acme_[0-9a-f]{32}; a group (?P<secret>...) keeps "
        "what stands around it",
    )
