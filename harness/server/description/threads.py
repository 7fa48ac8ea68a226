"""Threads and the messages on them."""

from __future__ import annotations

from harness.server.description import shapes
from harness.server.description.records import Operation, Parameter, Section, paging
from harness.server.description.schema import (
    ANYTHING,
    COUNT,
    TIME,
    a_page_of,
    always,
    choice,
    deleted,
    either,
    gives,
    listed,
    nullable,
    ref,
    takes,
    text,
    unused,
)

MOST_CHARACTERS = 256_000
_DETAIL = choice("auto", "low", "high")
_NOT_SEEN = "images are told to models by name, not shown"
_TEXT = text(least=1, most=MOST_CHARACTERS)
_OTHERS = {"text": ANYTHING, "image_file": ANYTHING, "image_url": ANYTHING}


def _without(name: str) -> dict[str, dict[str, object]]:
    return {other: schema for other, schema in _OTHERS.items() if other != name}


_PART_IN = either(
    takes({"type": always("text"), "text": _TEXT}, **_without("text")),
    takes(
        {
            "type": always("image_file"),
            "image_file": takes({"file_id": text(least=1)}, detail=unused(_DETAIL, _NOT_SEEN)),
        },
        **_without("image_file"),
    ),
    takes(
        {
            "type": always("image_url"),
            "image_url": takes({"url": text(least=1)}, detail=unused(_DETAIL, _NOT_SEEN)),
        },
        **_without("image_url"),
    ),
)
_ATTACHMENT_IN = takes(
    {"file_id": text(least=1)},
    tools=listed(takes({"type": choice("code_interpreter", "file_search")})),
)
MESSAGE_IN = takes(
    {"role": choice("user", "assistant"), "content": either(_TEXT, listed(_PART_IN, least=1))},
    attachments=listed(_ATTACHMENT_IN),
    metadata=ref("Metadata"),
)
THREAD_IN = takes(
    messages=listed(ref("NewMessage")),
    tool_resources=shapes.TOOL_RESOURCES_IN,
    metadata=ref("Metadata"),
)

_PLACE = {"text": text(), "start_index": COUNT, "end_index": COUNT}
ANNOTATION = either(
    gives({"type": always("file_citation"), **_PLACE, "file_citation": gives({"file_id": text()})}),
    gives({"type": always("file_path"), **_PLACE, "file_path": gives({"file_id": text()})}),
)
_PART_OUT = either(
    gives({"type": always("text"), "text": gives({"value": text(), "annotations": listed(ANNOTATION)})}),
    gives({"type": always("image_file"), "image_file": gives({"file_id": text(), "detail": _DETAIL})}),
    gives({"type": always("image_url"), "image_url": gives({"url": text(), "detail": _DETAIL})}),
)
_INCOMPLETE = choice(
    "content_filter", "max_tokens", "run_cancelled", "run_expired", "run_failed", "run_incomplete"
)
_MESSAGE = gives(
    {
        "id": text(pattern="^msg_"),
        "object": always("thread.message"),
        "created_at": TIME,
        "assistant_id": nullable(text(pattern="^asst_")),
        "thread_id": text(pattern="^thread_"),
        "run_id": nullable(text(pattern="^run_")),
        "status": choice("in_progress", "incomplete", "completed"),
        "incomplete_details": nullable(gives({"reason": _INCOMPLETE})),
        "incomplete_at": nullable(TIME),
        "completed_at": nullable(TIME),
        "role": choice("user", "assistant"),
        "content": listed(_PART_OUT),
        "attachments": listed(
            gives(
                {
                    "file_id": text(),
                    "tools": listed(gives({"type": choice("code_interpreter", "file_search")})),
                }
            )
        ),
        "metadata": ref("Metadata"),
    }
)
_THREAD = gives(
    {
        "id": text(pattern="^thread_"),
        "object": always("thread"),
        "created_at": TIME,
        "metadata": ref("Metadata"),
        "tool_resources": shapes.TOOL_RESOURCES_OUT,
    }
)

_ANNOTATION_DELTA = {
    "type": "object",
    "properties": {"index": COUNT, "type": choice("file_citation", "file_path")},
    "required": ["index", "type"],
}
_TEXT_DELTA = gives({"value": text()}, annotations=listed(_ANNOTATION_DELTA))
MESSAGE_DELTA = gives(
    {
        "id": text(pattern="^msg_"),
        "object": always("thread.message.delta"),
        "delta": gives(
            {
                "content": listed(
                    either(
                        gives({"index": COUNT, "type": always("text"), "text": _TEXT_DELTA}),
                        gives(
                            {
                                "index": COUNT,
                                "type": always("image_file"),
                                "image_file": gives({"file_id": text(), "detail": _DETAIL}),
                            }
                        ),
                    )
                )
            }
        ),
    }
)

_OF_RUN = Parameter("run_id", text(), "Only messages that this run wrote.")
_ONLY_METADATA = takes(metadata=ref("Metadata"))
_AT = "/threads/{thread}"
_MESSAGES = f"{_AT}/messages"
_ONE = f"{_MESSAGES}/{{message}}"

SECTION = Section(
    title="Threads and messages",
    operations=(
        Operation(
            "POST",
            "/threads",
            "Make a thread, with its first messages or empty.",
            gives=ref("Thread"),
            body=THREAD_IN,
            may_be_empty=True,
        ),
        Operation("GET", _AT, "One thread.", gives=ref("Thread")),
        Operation(
            "POST",
            _AT,
            "Change the metadata and tool resources of a thread.",
            gives=ref("Thread"),
            body=takes(metadata=ref("Metadata"), tool_resources=shapes.TOOL_RESOURCES_IN),
            may_be_empty=True,
        ),
        Operation(
            "DELETE", _AT, "Delete a thread; its active run is cancelled.", gives=deleted("thread.deleted")
        ),
        Operation(
            "GET",
            _MESSAGES,
            "The messages of a thread.",
            gives=a_page_of(ref("Message")),
            query=(*paging(), _OF_RUN),
        ),
        Operation(
            "POST",
            _MESSAGES,
            "Add a message; refused while a run is active.",
            gives=ref("Message"),
            body=ref("NewMessage"),
        ),
        Operation("GET", _ONE, "One message.", gives=ref("Message")),
        Operation(
            "POST",
            _ONE,
            "Change the metadata of a message.",
            gives=ref("Message"),
            body=_ONLY_METADATA,
            may_be_empty=True,
        ),
        Operation("DELETE", _ONE, "Delete a message.", gives=deleted("thread.message.deleted")),
    ),
    schemas={"Thread": _THREAD, "Message": _MESSAGE, "NewMessage": MESSAGE_IN},
)
