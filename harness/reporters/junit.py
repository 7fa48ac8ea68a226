"""JUnit XML, as CI systems read it: one test case a trial, its transcript in the failure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote
from xml.etree import ElementTree as ET

from harness.reporters import wording
from harness.reporters.brief import describe, failed_scores, why_not_passed
from harness.reporters.summary import Group, Summary
from harness.results import SuiteRun, TrialResult
from harness.trace.records import ToolCall, TurnTrace

_LONGEST_TEXT = 2000
_LONGEST_MESSAGE = 300
# Everything XML 1.0 does not allow, not even escaped.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class JunitReporter:
    """The suite run as JUnit XML; an errored trial is an ``error``, a failed one a ``failure``."""

    suffix = ".xml"

    def render(self, run: SuiteRun) -> str:
        """The document, with its XML declaration."""
        summary = Summary(run)
        named = {group.name: _Naming.of(group) for group in summary.suites}
        cases: dict[str, list[str]] = {name: [] for name in named}
        for result in run.results:
            cases[result.suite].append(
                _text(_case(result, named[result.suite].name(result), run.id), level=2)
            )
        suites = (_around(_suite(group, run), cases[group.name], level=1) for group in summary.suites)
        root = ET.Element("testsuites", {"name": _xml(run.id), **_counts(summary.total)})
        return f'<?xml version="1.0" encoding="UTF-8"?>\n{_around(root, suites)}\n'


def _text(element: ET.Element, level: int) -> str:
    """An element as it stands in the document so deep, with the indentation before it."""
    ET.indent(element, level=level)
    return "  " * level + ET.tostring(element, encoding="unicode").rstrip()


def _around(element: ET.Element, children: Iterable[str], level: int = 0) -> str:
    """An element with these children: each is text by now, for thousands of trees take much memory."""
    inside = "\n".join(children)
    if not inside:
        return _text(element, level)
    empty = ET.tostring(element, encoding="unicode", short_empty_elements=False)
    end = f"</{element.tag}>"
    pad = "  " * level
    return f"{pad}{empty.removesuffix(end)}\n{inside}\n{pad}{end}"


def _counts(group: Group) -> dict[str, str]:
    latency_s = sum(result.latency_s for result in group.results)
    kept = group.quarantined
    left_out = kept["failed"] + kept["errored"]  # CI systems must not end red by them
    return {
        "tests": str(len(group.results)),
        "failures": str(group.failed - kept["failed"]),
        "errors": str(group.errored - kept["errored"]),
        "skipped": str(group.skipped + left_out),
        "time": f"{latency_s:.3f}",
    }


def _suite(group: Group, run: SuiteRun) -> ET.Element:
    started = f"{run.started_at:%Y-%m-%dT%H:%M:%S}"
    return ET.Element("testsuite", {"name": _xml(group.name), "timestamp": started, **_counts(group)})


@dataclass(frozen=True, slots=True)
class _Naming:
    """What the names of a suite's cases must tell beside the conversation."""

    variant: bool
    repeat: bool

    @classmethod
    def of(cls, group: Group) -> _Naming:
        several = len({result.variant for result in group.results}) > 1
        return cls(several, any(result.repeat > 1 for result in group.results))

    def name(self, result: TrialResult) -> str:
        variant = f"@{result.variant}" if self.variant else ""
        return f"{result.conversation}{variant}{f'#{result.repeat}' if self.repeat else ''}"


def _case(result: TrialResult, name: str, run_id: str) -> ET.Element:
    attributes = {"classname": result.suite, "name": name, "time": f"{result.latency_s:.3f}"}
    case = ET.Element("testcase", {key: _xml(value) for key, value in attributes.items()})
    properties = ET.SubElement(case, "properties")
    for key, value in (_properties(result) | {"trace": _trace(run_id, result.trial_id)}).items():
        ET.SubElement(properties, "property", {"name": key, "value": _xml(value)})
    if result.quarantine and result.quarantined and result.outcome in ("failed", "errored"):
        told = f"in quarantine {wording.quarantine(result.quarantine)}; {result.outcome}: "
        _add_trouble(case, "skipped", result, "\n".join(map(describe, failed_scores(result))), told)
    elif result.outcome == "failed":
        _add_trouble(case, "failure", result, "\n".join(map(describe, failed_scores(result))))
    elif result.outcome == "errored":
        _add_trouble(case, "error", result, result.error or "")
    elif result.outcome == "skipped":
        ET.SubElement(case, "skipped", {"message": _xml(result.error or "not begun")})
    return case


def _properties(result: TrialResult) -> dict[str, str]:
    usage = result.usage
    cost = f"unknown ({result.cost_reason})" if result.cost_usd is None else f"{result.cost_usd:f}"
    properties = {
        "trial_id": result.trial_id,
        "variant": result.variant,
        "fingerprint": result.fingerprint,
        "score": _score(result),
        "cost_usd": cost,
        "prompt_tokens": str(usage.prompt_tokens) if usage else "unknown",
        "completion_tokens": str(usage.completion_tokens) if usage else "unknown",
    }
    properties |= {"replayed": "true"} if result.replayed else {}
    properties |= {"quarantine": wording.quarantine(result.quarantine)} if result.quarantine else {}
    return properties | _deletion(result) | ({"tags": " ".join(result.tags)} if result.tags else {})


def _score(result: TrialResult) -> str:
    """The share of its judged expectations that were met."""
    met = [score.passed for score in result.scores if score.passed is not None]
    return f"{sum(met) / len(met):.4g}" if met else "unknown"


def _trace(run_id: str, trial_id: str) -> str:
    """Where the transcript is: the run's HTML report by its usual name, opened at the trial."""
    return f"{run_id}.html#{quote(trial_id, safe='')}"


def _deletion(result: TrialResult) -> dict[str, str]:
    """Whether the user, who asked for it, was forgotten."""
    turns = result.trace.turns if result.trace else ()
    asked = [turn.deletion for turn in turns if turn.deletion]
    errors = "; ".join(each.error or "not confirmed" for each in asked if not each.confirmed)
    return {"user_forgotten": f"no: {errors}" if errors else "confirmed"} if asked else {}


def _add_trouble(case: ET.Element, kind: str, result: TrialResult, reasons: str, before: str = "") -> None:
    message = " ".join(f"{before}{why_not_passed(result)}".split())[:_LONGEST_MESSAGE]
    trouble = ET.SubElement(case, kind, {"message": _xml(message), "type": result.outcome})
    trouble.text = _xml(f"{reasons}\n\n{transcript(result)}".strip())


def transcript(result: TrialResult) -> str:
    """The conversation as plain text, long messages cut."""
    turns = result.trace.turns if result.trace else ()
    return "\n\n".join(_turn(place, turn) for place, turn in enumerate(turns, start=1))


def _turn(place: int, turn: TurnTrace) -> str:
    lines = [f"[turn {place}: {turn.status}]", f"user: {_cut(turn.user.text)}"]
    lines += [_call(call) for call in turn.tool_calls]
    lines += [f"assistant: {_cut(message.text)}" for message in turn.messages]
    return "\n".join([*lines, f"error: {turn.error}"] if turn.error else lines)


def _call(call: ToolCall) -> str:
    if call.type == "file_search":
        files = dict.fromkeys(result.filename for result in call.results)
        return f"  file_search found {len(call.results)} chunks in {', '.join(files) or 'nothing'}"
    outcome = call.error or call.output or "".join(output.logs or "" for output in call.outputs)
    return f"  {call.name}({_cut(call.arguments)}) -> {_cut(outcome)}"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}… ({len(text):,} characters)"


def _xml(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
