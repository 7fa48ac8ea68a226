"""A talk with the reference assistant over documents in memory, and three invented businesses."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from harness.server.llms.extractive import Extractive
from harness.server.llms.interface import (
    ChatMessage,
    FileInfo,
    ModelReply,
    ModelRequest,
    SearchHit,
    ToolRequest,
)
from harness.text import content_stems

FILE_SEARCH = {"type": "file_search"}
CODE = {"type": "code_interpreter"}
MOST_ROUNDS = 6


def function(name: str, description: str, required: Sequence[str], **properties: Any) -> dict[str, Any]:
    """A function tool as the API spells it."""
    schema = {"type": "object", "properties": properties, "required": list(required)}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": schema}}


TICKET = function(
    "open_case",
    "Open a support ticket with the human team.",
    ["contact_email", "summary", "priority"],
    contact_email={"type": "string", "format": "email"},
    summary={"type": "string", "description": "What is wrong"},
    priority={"type": "string", "enum": ["low", "medium", "high", "urgent"]},
)


@dataclass
class Business:
    """An assistant of an invented business."""

    instructions: str
    documents: dict[str, str]
    tools: list[dict[str, Any]] = field(default_factory=lambda: [FILE_SEARCH])
    outputs: dict[str, str] = field(default_factory=dict)


BIKES = Business(
    instructions=(
        "You are Pedal, the friendly assistant of Meadow Bikes, a shop for bicycles. Answer questions "
        "about bikes, "
        "rentals, repairs and orders from the knowledge base. Politely redirect anything off topic. "
        "Escalate complex "
        'technical problems by saying "A mechanic of ours will get in touch with you".'
    ),
    documents={
        "rentals.md": (
            "# Rentals\n\nA city bike costs 18 euros per day and an electric bike costs 35 euros per day. "
            "A deposit of "
            "100 euros is needed for each bike. Bikes can be rented for at most 14 days.\n\n## How to rent "
            "a bike\n\n"
            "1. Choose a bike in the shop or in the app.\n2. Show an identity document.\n3. Pay the "
            "deposit by card.\n"
            "4. Collect the key at the counter.\n\n## Returning a bike\n\nBikes are returned before 19:00 "
            "at the shop in "
            "Mill Street. A late return costs 10 euros per hour."
        ),
        "repairs.md": (
            "# Repairs\n\n## The display of the electric bike stays dark\n\n1. Switch the battery off and "
            "on again.\n"
            "2. Clean the contacts of the battery with a dry cloth.\n3. Charge the battery for two hours.\n\n"
            "A yearly inspection takes 45 minutes and costs 60 euros.\n\n| Error | Meaning |\n| --- | --- |\n"
            "| E-07 | The motor is too hot |\n| E-12 | The speed sensor is dirty |\n"
        ),
    },
    tools=[FILE_SEARCH, TICKET],
    outputs={"open_case": '{"case_id": "C-501", "status": "open"}'},
)

BANK = Business(
    instructions=(
        "# Role\nYou help customers of Northlake Bank with accounts, cards and transfers. Respond formally.\n"
        "# Hand-over\nHand over to a specialist when:\n- a customer reports fraud\n- a customer makes "
        "a complaint\n"
        "- a refund above 200 euros is requested\nIn these cases say ‘I’ll pass you to a specialist now.’\n"
        "# Limits\nNever give investment advice. If the answer is not in the documents, reply: “I am "
        "afraid I cannot "
        "find this.”"
    ),
    documents={
        "cards.md": (
            "# Cards\n\nA replacement card costs 12 euros and arrives within 7 business days. The card "
            "limit is 2,000 "
            "euros per week. To block a card, call 0800 555 010 at any time."
        ),
        "transfers.md": (
            "# Transfers\n\nTransfers inside the country arrive within one business day. The Basic account "
            "uses the "
            "Silver tariff, and the Premium account uses the Gold tariff.\n\nThe Silver tariff allows 20 "
            "free transfers "
            "per month.\n\nThe Gold tariff allows 90 free transfers per month."
        ),
    },
    tools=[
        FILE_SEARCH,
        function(
            "schedule_transfer",
            "Schedule a transfer of money to a payee",
            ["amount", "payee"],
            amount={"type": "number", "description": "Amount in euros"},
            payee={"type": "string", "description": "Name of the payee"},
            date={"type": "string", "format": "date"},
        ),
    ],
    outputs={"schedule_transfer": '{"error": "the account is locked"}'},
)

CLINIC = Business(
    instructions=(
        "You answer patients of the Green Valley Clinic about appointments, opening hours and "
        "insurance. Do not give "
        "medical advice. Keep answers short."
    ),
    documents={
        "clinic.txt": (
            "Opening hours\n\nThe clinic is open from Monday to Thursday between 8:00 and 18:00. On Friday "
            "the clinic "
            "closes at 13:00.\n\nWhich insurance do you take?\n\nAll public plans are accepted. Private "
            "patients receive "
            "an invoice after the visit.\n\n"
            "Appointments can be cancelled free of charge until 24 hours before."
        )
    },
    tools=[
        FILE_SEARCH,
        function(
            "book_appointment",
            "Book an appointment with a doctor of the clinic",
            ["patient_name", "date", "time", "department"],
            patient_name={"type": "string"},
            date={"type": "string", "format": "date"},
            time={"type": "string"},
            department={"type": "string", "enum": ["general", "dental", "eye"]},
        ),
    ],
    outputs={"book_appointment": '{"appointment_id": "A-77", "status": "confirmed"}'},
)


BLOCK = function(
    "block_guide",
    "Blocks a stolen audio guide.",
    ["guide_digits"],
    guide_digits={"type": "string", "pattern": "^[0-9]{4}$", "description": "The four digits of the guide"},
)
MUSEUM = Business(
    instructions=(
        "You answer visitors of Lantern Museum on tickets, tours and the shop from the pages. If a page does "
        'not tell, say "Our pages are silent on this, sorry." In case of lost property, an accident or '
        'a stolen audio guide say "Let me fetch a guard for you" and call block_guide if told its digits. '
        "Homework and politics you decline."
    ),
    documents={
        "visit.md": (
            "# Opening\n\nThe museum is open daily from 10:00 to 18:00. The cloakroom closes at 17:30.\n\n"
            "# Tickets\n\nA ticket costs 12 euros. It is valid for two days. Children under 8 get in free. "
            "Payments in foreign currencies cost 2 percent.\n\n# Fire alarm\n\nCall the guard on 112 at once."
            "\n\n1. Leave your coat.\n2. Walk to the garden.\n\n# Animals\n\n"
            "Pets are not allowed in the halls."
        )
    },
    tools=[FILE_SEARCH, BLOCK],
    outputs={"block_guide": '{"blocked": true}'},
)


@dataclass
class Conversation:
    """Talks with the assistant as an engine would: carries out its calls until it answers in text."""

    business: Business
    files: tuple[FileInfo, ...] = ()
    history: list[ChatMessage] = field(default_factory=list)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    hits: list[SearchHit] = field(default_factory=list)

    def say(self, text: str, **request: Any) -> str:
        """The answer to a message; ``calls`` and ``hits`` then hold what was done for it."""
        self.history.append(ChatMessage("user", text))
        self.calls, self.hits = [], []
        run = list(self.history)
        for _ in range(MOST_ROUNDS):
            reply = self.ask(run, **request)
            request.pop("tool_choice", None)
            if not reply.tool_requests:
                self.history.append(ChatMessage("assistant", reply.content))
                return reply.content
            run.append(ChatMessage("assistant", reply.content, reply.tool_requests))
            run += [self._carry_out(call) for call in reply.tool_requests]
        raise AssertionError(f"no answer after {MOST_ROUNDS} rounds to {text!r}")

    def ask(self, messages: Sequence[ChatMessage], **request: Any) -> ModelReply:
        """One completion."""
        tools = request.pop("tools", self.business.tools)
        return Extractive().complete(
            ModelRequest(
                "any", self.business.instructions, tuple(messages), tools, files=self.files, **request
            )
        )

    def _carry_out(self, call: ToolRequest) -> ChatMessage:
        self.calls.append((call.name, call.arguments))
        if call.kind == "file_search":
            hits = tuple(self._search(call.arguments["queries"]))
            self.hits += hits
            return ChatMessage("tool", "", answers=call.id, hits=hits)
        if call.kind == "function":
            return ChatMessage("tool", self.business.outputs.get(call.name, "{}"), answers=call.id)
        printed, image = run_code(call.arguments["input"])
        made = (("file-1", "chart.png", True),) if image else ()
        return ChatMessage("tool", printed, answers=call.id, files=made)

    def _search(self, queries: Sequence[str]) -> list[SearchHit]:
        wanted = {stem for query in queries for stem in content_stems(query)}
        scored = [
            (len(wanted & set(content_stems(text))) / (1 + len(wanted)), name, text)
            for name, text in self.business.documents.items()
        ]
        ranked = sorted(scored, key=lambda entry: (-entry[0], entry[1]))
        return [
            SearchHit(f"file-{name}", name, score, text, f"【4:{index}†{name}】")
            for index, (score, name, text) in enumerate(ranked)
        ]


def run_code(source: str) -> tuple[str, bool]:
    """What generated code prints, and whether it showed a chart."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    shown: list[bool] = []
    original = plt.show
    plt.show = lambda *_, **__: shown.append(bool(plt.get_fignums()))  # type: ignore[assignment]
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            exec(compile(source, "generated", "exec"), {"__name__": "generated"})
    except Exception as problem:  # noqa: BLE001 - whatever the code raises is its output
        printed.write(f"Traceback (most recent call last):\n{type(problem).__name__}: {problem}")
    finally:
        plt.show = original
        plt.close("all")
    return printed.getvalue(), any(shown)


@pytest.fixture
def bikes() -> Conversation:
    return Conversation(BIKES)


@pytest.fixture
def bank() -> Conversation:
    return Conversation(BANK)


@pytest.fixture
def clinic() -> Conversation:
    return Conversation(CLINIC)


@pytest.fixture
def museum() -> Conversation:
    return Conversation(MUSEUM)


@pytest.fixture
def business() -> Callable[..., Conversation]:
    """Makes a conversation with an assistant of one's own."""

    def make(
        instructions: str,
        documents: dict[str, str] | None = None,
        tools: list[dict[str, Any]] | None = None,
        files: Sequence[FileInfo] = (),
        **outputs: Any,
    ) -> Conversation:
        texts = {
            name: output if isinstance(output, str) else json.dumps(output)
            for name, output in outputs.items()
        }
        made = Business(instructions, documents or {}, [FILE_SEARCH] if tools is None else tools, texts)
        return Conversation(made, tuple(files))

    return make
