"""A suite run as a library's help desk might have it: everything a report can show occurs in it once."""

from __future__ import annotations

import base64
import struct
import zlib
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from harness.cost.usage import Usage
from harness.results import Score, SuiteRun, TrialResult
from harness.trace.records import (
    Attempt,
    Citation,
    CodeOutput,
    Message,
    OutputFile,
    RunStep,
    SearchResult,
    ToolCall,
    Trace,
    TurnTrace,
)

START = datetime(2026, 3, 2, 8, 15, tzinfo=UTC)
HOSTILE = '<script>window.attacked = 1</script><img src=x onerror="window.attacked = 2">{{ 7 * 7 }}</script>'

RENEWALS = (
    "Renewals. A loan can be renewed twice, each time for 28 days, unless another reader has reserved the "
    "item. Renew on the website under My Loans, by phone, or at any desk. Items that are overdue by more "
    "than 14 days cannot be renewed; return them to the desk."
)
FEES = (
    "Fees. Overdue books cost 0.25 a day and item, at most 10.00 an item. Children's cards pay no overdue "
    "fees. A lost card is replaced for 3.00. Fees can be paid at the desk or online by card."
)
ROOMS = (
    "Study rooms. Rooms for two to eight people can be booked up to 14 days ahead for at most three hours a "
    "day. Bring your card; a room that is not taken up within 15 minutes is given away."
)


def chart(width: int = 360, height: int = 180) -> str:
    """A PNG with a few bars, base64."""
    bars = (40, 75, 60, 110, 95, 140, 125, 160)
    rows = []
    for y in range(height):
        row = bytearray(b"\0")
        for x in range(width):
            bar, inside = divmod(x, width // len(bars))
            filled = 8 < inside < 38 and bar < len(bars) and height - y <= bars[bar]
            row += bytes((36, 80, 184) if filled else (250, 250, 252))
        rows.append(bytes(row))

    def part(kind: bytes, content: bytes) -> bytes:
        checked = kind + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + part(b"IHDR", header) + part(b"IDAT", zlib.compress(b"".join(rows)))
    return base64.b64encode(png + part(b"IEND", b"")).decode()


def search(*found: tuple[str, float, str, int]) -> ToolCall:
    results = tuple(
        SearchResult(file_id=f"file_{name}", filename=name, score=score, text=text, attributes={"page": page})
        for name, score, text, page in found
    )
    return ToolCall(id="call_search", type="file_search", name="file_search", results=results)


def turn(user: str, answer: str | Message, *calls: ToolCall, **changes: Any) -> TurnTrace:
    message = answer if isinstance(answer, Message) else Message(role="assistant", text=answer)
    usage = Usage(prompt_tokens=1180, completion_tokens=62, cached_tokens=512)
    searching = RunStep(
        id="step_1",
        type="tool_calls",
        status="completed",
        created_at=START,
        completed_at=START + timedelta(seconds=0.42),
        usage=Usage(prompt_tokens=310, completion_tokens=18),
        tool_calls=calls,
    )
    answering = RunStep(
        id="step_2",
        type="message_creation",
        status="completed",
        created_at=START + timedelta(seconds=0.42),
        completed_at=START + timedelta(seconds=1.9),
        usage=Usage(prompt_tokens=870, completion_tokens=44, cached_tokens=512),
    )
    fields: dict[str, Any] = {
        "user": Message(role="user", text=user),
        "messages": (message,),
        "status": "completed",
        "started_at": START,
        "latency_s": 1.9,
        "steps": (searching, answering) if calls else (answering,),
        "usage": usage,
        "model": "gpt-5.4-mini",
    }
    return TurnTrace(**(fields | changes))


def score(
    check: str, passed: bool | None = True, turn: int | None = 0, reason: str = "", **rest: Any
) -> Score:
    value = rest.pop("value", passed)
    scorer = "escalation" if check == "escalates" else "tests"
    return Score(check=check, scorer=scorer, turn=turn, value=value, passed=passed, reason=reason, **rest)


def sentence(
    answer: str, text: str, supported: bool | None, support: float, source: str | None, why: str
) -> Any:
    start = answer.index(text)
    evidence = {"filename": "lending.pdf", "page": 3, "text": source} if source else None
    return {
        "text": text,
        "start": start,
        "end": start + len(text),
        "claim": supported is not None,
        "supported": supported,
        "support": support,
        "evidence": evidence,
        "why": why,
    }


def trial(
    conversation: str, *turns: TurnTrace, suite: str = "lending", repeat: int = 1, **changes: Any
) -> TrialResult:
    trial_id = f"{suite}/{conversation}@main#{repeat}"
    history = changes.pop("history", ())
    fields: dict[str, Any] = {
        "trial_id": trial_id,
        "suite": suite,
        "conversation": conversation,
        "cluster": conversation,
        "tags": ("knowledge",),
        "variant": "main",
        "fingerprint": "9f2c" * 16,
        "repeat": repeat,
        "outcome": "passed",
        "started_at": START,
        "ended_at": START + timedelta(seconds=4),
        "scores": (score("status"),),
        "usage": Usage(prompt_tokens=1180 * len(turns), completion_tokens=62 * len(turns), cached_tokens=512),
        "cost_usd": Decimal("0.000913"),
        "latency_s": sum(turn.latency_s for turn in turns),
        "wait_s": sum(turn.wait_s for turn in turns),
        "trace": Trace(trial_id=trial_id, target="embedded", turns=turns, history=history),
    }
    return TrialResult(**(fields | changes))


def renewal(repeat: int, good: bool) -> TrialResult:
    """Two turns with citations and evidence; the bad one makes something up."""
    marker = "【4:0†lending.pdf】"
    made_up = "" if good else " After that you get a 🎁 voucher for the café."
    claim = f"Yes 📚: a loan can be renewed twice, each time for 28 days{marker}."
    text = f"{claim}{made_up} Shall I look up your loans?"
    start = text.index(marker)
    cite = Citation(
        marker=marker,
        start=start,
        end=start + len(marker),
        file_id="file_1",
        filename="lending.pdf",
        chunk=RENEWALS,
    )
    sentences = [
        sentence(
            text,
            claim,
            True,
            0.97,
            RENEWALS,
            "All of its words occur in the passage.",
        ),
        sentence(text, "Shall I look up your loans?", None, 0.0, None, "A question claims nothing."),
    ]
    if not good:
        sentences.insert(
            1, sentence(text, made_up.strip(), False, 0.08, FEES, "No passage speaks of a voucher.")
        )
    grounded = score(
        "grounded",
        good,
        value=1.0 if good else 0.5,
        reason="All claims are supported."
        if good
        else "1 of 2 claims is not supported: “After that you get a 🎁 voucher for the café.”",
        evidence={"sentences": sentences, "share": 1.0 if good else 0.5},
    )
    first = turn(
        "Can I renew my books? I have them since January.",
        Message(role="assistant", text=text, citations=(cite,)),
        search(("lending.pdf", 0.83, RENEWALS, 3), ("fees.pdf", 0.41, FEES, 1)),
    )
    second = turn(
        "And if someone else wants the book?",
        "Then it cannot be renewed.\n\n1. You get a message.\n2. Please bring it back by the date in it.",
        returning=True,
        attempts=(
            Attempt(request="POST /threads/runs", number=1, error="429 rate limited", wait_s=2.0),
            Attempt(request="POST /threads/runs", number=2),
        ),
        wait_s=2.0,
    )
    scores = (
        score("status"),
        score("cites", evidence={"cited": ["lending.pdf"]}),
        grounded,
        score("answer.mentions", turn=1, reason="All of “cannot be renewed” occur."),
        score("latency_s", turn=None, value=3.8),
    )
    return trial(
        "renew-a-loan",
        first,
        second,
        repeat=repeat,
        outcome="passed" if good else "failed",
        tags=("knowledge", "smoke"),
        scores=scores,
    )


def ticket() -> TrialResult:
    call = ToolCall(
        id="call_1",
        type="function",
        name="open_ticket",
        arguments='{"email": "jo@example.com", "summary": "Card is blocked", "urgency": "low"}',
        output='{"ticket": "L-204"}',
        latency_s=0.0004,
    )
    lonely = ToolCall(
        id="call_2", type="function", name="send_sms", arguments="{}", error="no stub answers send_sms({})"
    )
    said = turn(
        "My card is blocked and I need it today!",
        "I have passed this on to a colleague at the desk.",
        call,
        lonely,
    )
    scores = (
        score(
            "escalates",
            False,
            value="missed",
            reason="Expected a hand-over to a person; there was none.",
            evidence={"expected": True, "observed": False, "found": []},
        ),
        score(
            "calls",
            False,
            reason="open_ticket was called with urgency 'low'; expected one of 'high', 'urgent'.",
            evidence={"tool": "open_ticket", "differs": {"urgency": ["low", ["high", "urgent"]]}},
        ),
    )
    return trial("blocked-card", said, suite="service", outcome="failed", tags=("escalation",), scores=scores)


def statistics() -> TrialResult:
    code = (
        "import pandas as pd\n\nloans = pd.read_csv('loans.csv')\nloans.groupby('month').sum().plot.bar()\n"
    )
    call = ToolCall(
        id="call_1",
        type="code_interpreter",
        name="code_interpreter",
        arguments=code,
        outputs=(CodeOutput(type="logs", logs="8 months\n"), CodeOutput(type="image", file_id="file_chart")),
    )
    image = OutputFile(file_id="file_chart", kind="image", filename="loans.png", content_base64=chart())
    answer = Message(role="assistant", text="Loans rose from 40 to 160 a month.", files=(image,))
    said = turn("Draw a chart of loans by month.", answer, call)
    said = TurnTrace(
        **{
            **{name: getattr(said, name) for name in said.__struct_fields__},
            "user": Message(role="user", text="Draw a chart of loans by month.", attachments=("loans.csv",)),
        }
    )
    return trial(
        "loans-chart", said, suite="service", tags=("data",), scores=(score("runs_code"), score("produces"))
    )


def build() -> SuiteRun:
    """The suite run; every call makes an equal one."""
    hostile = turn(HOSTILE, HOSTILE, search((HOSTILE, 0.5, HOSTILE, 1)))
    hostile_scores = (score("answer.omits", False, reason=HOSTILE, evidence={HOSTILE: HOSTILE}),)
    broken = turn(
        "Is there a printer?",
        Message(role="assistant", text=""),
        status="failed",
        messages=(),
        usage=None,
        error="server_error: the model is overloaded",
    )
    context = (
        Message(role="user", text="Hello, I am new here."),
        Message(role="assistant", text="Welcome to the library!"),
    )
    results = (
        renewal(1, good=True),
        renewal(2, good=False),
        renewal(3, good=True),
        trial(
            "study-room",
            turn(
                "How long can I book a study room?",
                "At most three hours a day.",
                search(("rooms.pdf", 0.9, ROOMS, 2)),
            ),
            history=context,
            scores=(
                score("grounded", value=1.0, evidence={"sentences": [{"text": "no offsets"}]}),
                score("escalates", value="none", evidence={"expected": False, "observed": False}),
            ),
        ),
        trial(
            "printer",
            broken,
            outcome="errored",
            error="the run failed: server_error: the model is overloaded",
            usage=None,
            cost_usd=None,
            cost_reason="the target reported no usage",
            scores=(),
        ),
        trial(
            "odd-\x07bell & <tag>", hostile, outcome="failed", tags=("security", "a|b"), scores=hostile_scores
        ),
        ticket(),
        statistics(),
        trial(
            "weather",
            turn(
                "Will it rain tomorrow?",
                "I can only help with library matters. Is there a book you are looking for?",
            ),
            suite="service",
            tags=("off-topic",),
            scores=(
                score("redirects"),
                score("tone", None, value=None, reason="No scorer answers this check."),
            ),
        ),
    )
    return SuiteRun(
        id="20260302-081500-lending",
        started_at=START,
        ended_at=START + timedelta(seconds=41),
        target="embedded",
        status="finished",
        planned=9,
        settings={"suites": ["suites/lending.yaml", "suites/service.yaml"], "repeats": 1, "concurrency": 8},
        results=results,
    )


@pytest.fixture(scope="session")
def run() -> SuiteRun:
    """The whole suite run."""
    return build()


@pytest.fixture
def empty() -> SuiteRun:
    """A suite run that was stopped before anything ended."""
    return SuiteRun(id="nothing", started_at=START, target="embedded", status="interrupted", planned=5)
