"""Deltas: put together the way clients do, they give the whole again."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from harness.server.engine import deltas
from harness.server.engine.citations import annotate, marker
from harness.server.llms.interface import SearchHit


def merged(parts: list[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    """Deltas merged by the client's rule: strings are concatenated (not types), lists merged by index."""
    whole: dict[int, dict[str, Any]] = {}
    for part in parts:
        _merge(whole.setdefault(part["index"], {}), part)
    return whole


def _merge(into: dict[str, Any], delta: dict[str, Any]) -> None:
    for key, value in delta.items():
        if key in ("index", "type") or into.get(key) is None:
            into[key] = _copy(value)
        elif isinstance(value, str):
            into[key] += value
        elif isinstance(value, dict):
            _merge(into[key], value)
        elif isinstance(value, list):
            _merge_list(into[key], value)


def _merge_list(into: list[Any], delta: list[Any]) -> None:
    for entry in delta:
        if entry["index"] < len(into):
            _merge(into[entry["index"]], entry)
        else:
            into.append(_copy(entry))


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(inner) for key, inner in value.items()}
    return [_copy(inner) for inner in value] if isinstance(value, list) else value


HITS = [
    SearchHit(f"file-{number}", name, 0.5, "text", marker(4, number, name))
    for number, name in enumerate(["a.txt", "b c.pdf", "日本.md"])
]
TEXTS = st.lists(st.one_of(st.text(), st.sampled_from([hit.marker for hit in HITS]))).map("".join)


@given(st.text())
def test_pieces_put_together_give_the_text(text: str) -> None:
    assert "".join(deltas.pieces(text)) == text


@given(TEXTS)
def test_message_deltas_put_together_give_the_message(text: str) -> None:
    content = [
        {"type": "image_file", "image_file": {"file_id": "file-1", "detail": "auto"}},
        {"type": "text", "text": {"value": text, "annotations": annotate(text, HITS, {})}},
    ]
    events = list(deltas.message_deltas("msg_1", content))
    whole = merged([part for _, data in events for part in data["delta"]["content"]])
    assert whole[0]["image_file"] == content[0]["image_file"]
    assert whole[1]["text"]["value"] == text
    kept = [
        {**note, "file_citation": {"file_id": note["file_citation"]["file_id"]}}
        for note in whole[1]["text"].get("annotations", [])
    ]
    assert [{k: v for k, v in note.items() if k != "index"} for note in kept] == content[1]["text"][
        "annotations"
    ]


@given(TEXTS)
def test_the_marker_of_an_annotation_is_a_piece_of_its_own(text: str) -> None:
    notes = annotate(text, HITS, {})
    content = [{"type": "text", "text": {"value": text, "annotations": notes}}]
    position = 0
    for number, (_, data) in enumerate(deltas.message_deltas("msg_1", content)):
        piece = data["delta"]["content"][0]["text"]
        for note in piece.get("annotations", []):
            assert piece["value"] == note["text"]
            assert (note["start_index"], note["end_index"]) == (position, position + len(piece["value"]))
        assert ("annotations" in piece) == (number == 0 or bool(piece.get("annotations")))
        position += len(piece["value"])


def test_an_empty_text_still_has_one_delta() -> None:
    content = [{"type": "text", "text": {"value": "", "annotations": []}}]
    [(name, data)] = deltas.message_deltas("msg_1", content)
    assert name == "thread.message.delta"
    assert data["delta"]["content"] == [
        {"index": 0, "type": "text", "text": {"value": "", "annotations": []}}
    ]


@given(st.text())
def test_function_deltas_name_the_call_once_and_give_its_arguments(arguments: str) -> None:
    call = {
        "id": "call_1",
        "type": "function",
        "function": {"name": "f", "arguments": arguments, "output": None},
    }
    events = list(deltas.function_deltas("step_1", 0, call))
    whole = merged([data["delta"]["step_details"]["tool_calls"][0] for _, data in events])[0]
    assert whole == {"index": 0, **call}


@given(st.text(min_size=1))
def test_code_deltas_give_source_and_outputs(source: str) -> None:
    outputs = [{"type": "logs", "logs": "1"}, {"type": "image", "image": {"file_id": "file-1"}}]
    call = {
        "id": "call_1",
        "type": "code_interpreter",
        "code_interpreter": {"input": source, "outputs": outputs},
    }
    events = [*deltas.code_deltas("step_1", 0, call), *deltas.output_deltas("step_1", 0, call)]
    whole = merged([data["delta"]["step_details"]["tool_calls"][0] for _, data in events])[0]
    expected = [{"index": number, **output} for number, output in enumerate(outputs)]
    assert whole["id"] == "call_1"
    assert whole["code_interpreter"] == {"input": source, "outputs": expected}
