"""What the report page's script is given: an index of all conversations, and transcripts in blocks.

The index is unpacked when the page opens, a block when one of its transcripts is first looked at. What would
stand there again and again is packed once: retrieved passages and other long texts in a list of their own
(where they belong stands ``{"$": number}``), what the user says in the index. Keys whose value is empty are
left out, and a score that says no more than that it passed is only ``[check, scorer]``. In a block, what
assistants say stands after all else: deflate spends a fifth less when prose and structure do not alternate.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from harness.reporters import wording
from harness.reporters.brief import Brief
from harness.reporters.summary import ConversationResult, Summary, spoken
from harness.reporters.transcripts import Answers, Json, Texts, trial_record, without_empty
from harness.results import TrialResult

_BLOCK_BYTES = 1_500_000  # unpacked in a few milliseconds
_LEVEL = 6  # zlib's own default: 9 takes twice as long for 1 % less


class PageData(msgspec.Struct, frozen=True):
    """Everything the script draws from, packed (gzip, base64).

    Attributes:
        index: Conversations, and where their transcripts are.
        blocks: Transcripts, some hundred in each.
        texts: The long texts.
    """

    index: str
    blocks: tuple[str, ...]
    texts: str


def page_data(summary: Summary) -> PageData:
    """The data of the page for this suite run, made while its results are read and counted."""
    texts = Texts()
    blocks: list[str] = []
    places: dict[str, tuple[int, int]] = {}
    for number, block in enumerate(_blocks(summary.reading(), texts)):
        places.update({trial_id: (number, place) for place, trial_id in enumerate(block.trials)})
        blocks.append(block.packed())
    return PageData(_packed_index(summary, places), tuple(blocks), _packed(list(texts.numbers)))


class _Block(msgspec.Struct):
    """Some trials as JSON by id, and what was said in them."""

    trials: dict[str, bytes] = msgspec.field(default_factory=dict)
    said: list[str] = msgspec.field(default_factory=list)
    size: int = 0

    def add(self, trial_id: str, trial: bytes, said: list[str]) -> None:
        """One more trial."""
        self.trials[trial_id] = trial
        self.said += said
        self.size += len(trial) + sum(map(len, said))

    def packed(self) -> str:
        """Trials and answers, as the page holds them."""
        trials = b",".join(self.trials.values())
        return _pack([b'{"trials":[', trials, b'],"said":', _json(self.said), b"}"])


def _blocks(results: Iterable[TrialResult], texts: Texts) -> Iterator[_Block]:
    """All trials, in portions of a size that is quickly unpacked."""
    block = _Block()
    says: dict[tuple[str, str, str], tuple[str, ...]] = {}
    for result in results:
        row = (result.suite, result.conversation, result.variant)
        says[row] = spoken(says.get(row, ()), _said(result))
        answers = Answers(len(block.said))
        record = trial_record(result, says[row], answers, texts)
        block.add(result.trial_id, _json(record), answers.said)
        if block.size > _BLOCK_BYTES:
            yield block
            block = _Block()
    if block.trials:
        yield block


def _said(result: TrialResult) -> tuple[str, ...]:
    return tuple(turn.user.text for turn in result.trace.turns) if result.trace else ()


# --- the index -----------------------------------------------------------------------------------------


def _packed_index(summary: Summary, places: Mapping[str, tuple[int, int]]) -> str:
    return _pack(_index(summary, places))


def _index(summary: Summary, places: Mapping[str, tuple[int, int]]) -> Iterator[bytes]:
    """The index as JSON, row by row: all rows at once would be the most that a report keeps in memory."""
    names = _Names()
    for number, row in enumerate(summary.conversations):
        yield b"," if number else b'{"rows":['
        yield _json(_row(row, places, names))
    yield b"]," if summary.conversations else b'{"rows":[],'
    yield _json(names.lists())[1:]


class _Names(msgspec.Struct):
    """Names that many rows share, as numbers."""

    known: dict[str, dict[str, int]] = msgspec.field(default_factory=dict)

    def number(self, kind: str, name: str) -> int:
        """The number of a name among those of its kind."""
        names = self.known.setdefault(kind, {})
        return names.setdefault(name, len(names))

    def lists(self) -> dict[str, list[str]]:
        """The names by kind, in the order of their numbers."""
        empty: Json = {"suites": [], "variants": [], "tags": [], "checks": []}
        return empty | {kind: list(names) for kind, names in self.known.items()}


def _row(row: ConversationResult, places: Mapping[str, tuple[int, int]], names: _Names) -> Json:
    usages = [result.usage.total_tokens for result in row.results if result.usage]
    costs = [float(result.cost_usd) for result in row.results if result.cost_usd is not None]
    latencies = [result.latency_s for result in row.results if result.outcome != "skipped"]
    return without_empty(
        {
            "suite": names.number("suites", row.suite),
            "variant": names.number("variants", row.variant),
            "id": row.conversation,
            "says": row.says,
            "tags": [names.number("tags", tag) for tag in row.tags],
            "checks": [names.number("checks", check) for check in row.failing_checks],
            "why": row.reason,
            "outcome": row.outcome,
            "flaky": row.flaky or None,
            "quarantine": wording.quarantine(row.quarantine) if row.quarantine else None,
            "kept": row.quarantined or None,
            "trials": [_trial_place(result, places) for result in row.results],
            "tokens": sum(usages) if usages else None,
            "cost": round(sum(costs), 9) if costs else None,
            "latency": round(sum(latencies) / len(latencies), 4) if latencies else None,
        }
    )


def _trial_place(result: Brief, places: Mapping[str, tuple[int, int]]) -> list[Any]:
    """Id, repeat, outcome, and block and place of the transcript."""
    return [result.trial_id, result.repeat, result.outcome, *places[result.trial_id]]


# --- packing -------------------------------------------------------------------------------------------


def _packed(value: Any) -> str:
    return _pack([_json(value)])


def _json(value: Any) -> bytes:
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:  # half a surrogate pair: JSON can spell it, UTF-8 cannot
        return json.dumps(msgspec.to_builtins(value)).encode("ascii")


def _pack(parts: Iterable[bytes]) -> str:
    """Gzip and base64; without a time stamp, so that the same run gives the same page."""
    packer = zlib.compressobj(_LEVEL, wbits=31)
    packed = b"".join(map(packer.compress, parts))
    return base64.b64encode(packed + packer.flush()).decode("ascii")
