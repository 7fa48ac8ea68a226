"""Containers and the files in them."""

from __future__ import annotations

from harness.server.description import shapes
from harness.server.description.records import BYTES, Operation, Parameter, Section, paging
from harness.server.description.schema import (
    COUNT,
    TIME,
    a_page_of,
    always,
    choice,
    deleted,
    gives,
    listed,
    ref,
    takes,
    text,
    unused,
    whole,
)

_MEMORY = choice("1g", "4g", "16g", "64g")
_CONTAINER = gives(
    {
        "id": text(pattern="^cntr_"),
        "object": always("container"),
        "created_at": TIME,
        "status": choice("running", "expired"),
        "expires_after": gives({"anchor": always("last_active_at"), "minutes": whole(1, 20)}),
        "last_active_at": TIME,
        "memory_limit": _MEMORY,
        "name": text(most=256),
    }
)
_FILE = gives(
    {
        "id": text(pattern="^cfile_"),
        "object": always("container.file"),
        "created_at": TIME,
        "bytes": COUNT,
        "container_id": text(pattern="^cntr_"),
        "path": text(pattern="^/mnt/data/"),
        "source": choice("user", "assistant"),
    }
)
_NEW = takes(
    {"name": text(least=1, most=256)},
    file_ids=listed(text(), most=50),
    expires_after=takes(anchor=always("last_active_at"), minutes=whole(1, 20)),
    memory_limit=unused(_MEMORY, "echoed; the sandbox has one limit"),
    network_policy=shapes.NO_NETWORK,
)
_FORM = {
    "type": "object",
    "properties": {"file": {"type": "string", "format": "binary"}},
    "required": ["file"],
}
_ONE = "/containers/{container}"
_FILES = f"{_ONE}/files"
_IN = f"{_FILES}/{{file}}"

SECTION = Section(
    title="Containers",
    operations=(
        Operation(
            "GET",
            "/containers",
            "The containers.",
            gives=a_page_of(ref("Container")),
            query=(*paging(), Parameter("name", text(), "Only containers of this name.")),
            refuses=(),
        ),
        Operation(
            "POST",
            "/containers",
            "Make a container.",
            gives=ref("Container"),
            body=_NEW,
            not_done={
                "network_policy<allowlist>": "code never has a network",
                "skills": "the sandbox has no skills",
            },
        ),
        Operation("GET", _ONE, "One container.", gives=ref("Container")),
        Operation(
            "DELETE",
            _ONE,
            "Delete a container with its variables and files.",
            gives=deleted("container.deleted"),
        ),
        Operation(
            "GET", _FILES, "The files of a container.", gives=a_page_of(ref("ContainerFile")), query=paging()
        ),
        Operation(
            "POST",
            _FILES,
            "Put a file into a container: an upload, or a copy of an uploaded file.",
            gives=ref("ContainerFile"),
            body=takes({"file_id": text(least=1)}),
            form=_FORM,
        ),
        Operation("GET", _IN, "One file of a container.", gives=ref("ContainerFile")),
        Operation("DELETE", _IN, "Take a file out of a container.", gives=deleted("container.file.deleted")),
        Operation("GET", f"{_IN}/content", "The bytes of a file of a container.", gives=BYTES),
    ),
    schemas={"Container": _CONTAINER, "ContainerFile": _FILE},
)
