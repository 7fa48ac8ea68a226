"""The fingerprint of a suite: equal for two of them exactly when the same is sent and expected."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from harness.suite.assistants import digest_of, digest_of_file
from harness.suite.records import Conversation, Expect, Suite
from harness.suite.stubs import digests_of_sources

_BESIDE: dict[str, Any] = {
    **dict.fromkeys(("cluster", "tags", "repeats", "perturb", "quarantine"), True),
    "turns": {"__all__": {"expect"}},
}
_MOST_DIGESTS = 1000
_MOST_NAMED = 1000  # conversations whose digests are told one by one
_DIGITS = 8


class SuiteFingerprint:
    """SHA-256 over what is sent and expected: conversations, stubs, bytes of attached files, faults, code.

    Names, tags, clusters, repeats, perturbations and quarantines decide neither. Conversations are added
    while they pass by on their way to where they are kept, so that none is made again for it.
    """

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._expected = _Digests()
        self._attached: set[str] = set()
        self._parts: dict[str, str] = {}
        self._added = 0

    def add(self, conversation: Conversation) -> None:
        """Take in the next conversation, defaults filled in."""
        sent = self._take(
            conversation.model_dump(mode="json", by_alias=True, exclude=_BESIDE, exclude_defaults=True)
        )
        expected = self._take([self._expected.of(turn.expect) for turn in conversation.turns])
        self._added += 1
        if self._added <= _MOST_NAMED:
            self._parts[f"conversation {conversation.id}"] = _short(sent + expected)
        for turn in conversation.turns:
            self._attached.update(each.file for each in turn.attach)

    def over(self, conversations: Iterable[Conversation]) -> Iterator[Conversation]:
        """The same conversations, each taken in as it passes."""
        for each in conversations:
            self.add(each)
            yield each

    def of(self, suite: Suite, code: Sequence[str] = ()) -> str:
        """The fingerprint of the suite whose conversations were added, all of them.

        Raises:
            OSError: An attached file or the file of faults can't be read.
        """
        for part in self._beside_conversations(suite, code):
            self._take(part)
            self._parts |= {name: _short(msgspec.json.encode(one)) for name, one in part.items()}
        return self._digest.hexdigest()

    @property
    def parts(self) -> dict[str, str]:
        """A short digest of each conversation and of what stands beside them: which of them has changed.

        Of a suite with very many conversations only what stands beside them.
        """
        is_told = self._added <= _MOST_NAMED
        return {name: part for name, part in self._parts.items() if is_told or not _is_conversation(name)}

    def _take(self, part: Any) -> bytes:
        encoded = msgspec.json.encode(part, order="sorted") + b"\n"
        self._digest.update(encoded)
        return encoded

    def _beside_conversations(self, suite: Suite, code: Sequence[str]) -> Iterator[Any]:
        stubs = {
            name: [stub.model_dump(mode="json", exclude_defaults=True) for stub in stubs]
            for name, stubs in suite.stubs.items()
        }
        digests = {file: digest_of_file(suite.source.parent / file) for file in sorted(self._attached)}
        yield {"stubs": stubs, "attached": digests}
        if suite.functions:
            yield {"functions": digests_of_sources(suite.functions)}
        if code:
            yield {"code": list(code)}
        if suite.rubrics:
            yield {"rubrics": {name: each.model_dump(mode="json") for name, each in suite.rubrics.items()}}
        if suite.faults is not None:
            yield {"faults": digest_of_file(suite.faults)}


def _short(encoded: bytes) -> str:
    return hashlib.sha256(encoded).hexdigest()[:_DIGITS]


def _is_conversation(part: str) -> bool:
    return part.startswith("conversation ")


class _Digests:
    """Digests of what turns expect, taken once of expectations that many turns share."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Expect, str]] = {}  # holds the record, so that its id stays its own

    def of(self, expect: Expect) -> str:
        if id(expect) not in self._known:
            if len(self._known) >= _MOST_DIGESTS:
                self._known.clear()
            dumped = expect.model_dump(mode="json", by_alias=True, exclude_defaults=True)
            self._known[id(expect)] = expect, digest_of(dumped)
        return self._known[id(expect)][1]
