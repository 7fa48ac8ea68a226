"""What an answer may rest on: what tools found in the talk, or the assistant's documents as they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.errors import ScorerError, TargetError
from harness.scorers import facts, wording
from harness.scorers.claims import MOST_SENTENCES
from harness.scorers.evidence import Passage
from harness.scorers.interface import Scene
from harness.targets import documents
from harness.text import sentences
from harness.trace.records import ToolCall, TurnTrace


def found_in(turns: Sequence[TurnTrace]) -> Iterator[Passage]:
    """Everything that tools brought before the assistant, the latest turn first."""
    for turn in reversed(turns):
        for call in turn.tool_calls:
            yield from _of_call(call)


def _of_call(call: ToolCall) -> Iterator[Passage]:
    for number, result in enumerate(call.results):
        page = result.attributes.get("page")
        if result.text:
            known_page = int(page) if isinstance(page, int | float) else None
            yield Passage(result.text, result.filename, known_page, chunk=number, file_id=result.file_id)
    if call.type == "function" and (call.arguments or call.output):
        yield Passage(f"{call.arguments}\n{call.output or ''}", call.name, source="tool")
    for output in call.outputs:
        if output.logs:
            yield Passage(output.logs, call.name, source="code")


def documents_of(scene: Scene) -> list[Passage]:
    """The whole knowledge base, page by page.

    Raises:
        ScorerError: A document can't be read.
    """
    try:
        return [
            Passage(page.text, path.name, page.number)
            for path in scene.documents
            for page in documents.pages_of(path)
        ]
    except TargetError as error:
        raise ScorerError(str(error), code=error.code) from error


def told(scene: Scene, turns: Sequence[TurnTrace]) -> Iterator[str]:
    """What users said of themselves: their statements, not their questions."""
    said = [message.text for message in scene.trace.history if message.role == "user"]
    for text in (*said, *(turn.user.text for turn in turns)):
        spans = sentences(wording.capped(text))[:MOST_SENTENCES]
        yield from (span.text for span in spans if not wording.is_question(span.text))


def own_names(scene: Scene) -> set[str]:
    """What the assistant calls itself and its business needs no evidence."""
    assistant = scene.assistant
    return facts.stems_of_text(assistant.name) | facts.names(assistant.instructions[:20_000])
