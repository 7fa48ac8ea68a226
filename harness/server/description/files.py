"""Files."""

from __future__ import annotations

from harness.server.description.records import BYTES, Operation, Parameter, Section, paging
from harness.server.description.schema import (
    COUNT,
    TIME,
    a_page_of,
    always,
    choice,
    deleted,
    gives,
    nullable,
    ref,
    text,
)

_PURPOSES = ("fine-tune", "assistants", "batch", "user_data", "vision", "evals")
_FILE = gives(
    {
        "object": always("file"),
        "id": text(pattern="^file-"),
        "purpose": choice(*_PURPOSES, "assistants_output"),
        "filename": text(least=1, most=255),
        "bytes": COUNT,
        "created_at": TIME,
        "expires_at": nullable(TIME),
        "status": always("processed"),
        "status_details": nullable(text()),
    }
)
_FORM = {
    "type": "object",
    "properties": {
        "file": {"type": "string", "format": "binary"},
        "purpose": choice(*_PURPOSES),
        "expires_after[anchor]": always("created_at"),
        "expires_after[seconds]": {"type": "integer", "minimum": 3_600, "maximum": 2_592_000},
    },
    "required": ["file", "purpose"],
}
_ONE = "/files/{file}"

SECTION = Section(
    title="Files",
    operations=(
        Operation(
            "GET",
            "/files",
            "The files.",
            gives=a_page_of(ref("File")),
            query=(*paging(10_000), Parameter("purpose", text(), "Only files of this purpose.")),
            refuses=(),
        ),
        Operation("POST", "/files", "Upload a file.", gives=ref("File"), form=_FORM, refuses=()),
        Operation("GET", _ONE, "One file.", gives=ref("File")),
        Operation("DELETE", _ONE, "Delete a file; it leaves every vector store.", gives=deleted("file")),
        Operation("GET", f"{_ONE}/content", "The bytes of a file.", gives=BYTES),
    ),
    schemas={"File": _FILE},
)
