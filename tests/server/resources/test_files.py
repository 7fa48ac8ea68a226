"""/files: uploads, names, purposes, downloads, expiry."""

from __future__ import annotations

from typing import Any

import pytest

from harness.server.app import Request, Upload

Api = Any


def refused_upload(api: Api, upload: Upload | None) -> tuple[int, dict[str, Any]]:
    reply = api.app.handle(Request("POST", "/files", upload=upload))
    assert reply.body is not None
    return reply.status, reply.body


def test_an_upload_has_every_key(api: Api) -> None:
    file = api.upload("guide.txt", b"Hello.", purpose="user_data")
    assert file == {
        "object": "file",
        "id": file["id"],
        "purpose": "user_data",
        "filename": "guide.txt",
        "bytes": 6,
        "created_at": int(api.time.at.timestamp()),
        "expires_at": None,
        "status": "processed",
        "status_details": None,
    }
    assert file["id"].startswith("file-")
    assert api.get(f"/files/{file['id']}") == file


@pytest.mark.parametrize("purpose", ["user_data", "vision", "batch", "fine-tune", "evals"])
def test_the_bytes_come_back_as_they_were_sent(api: Api, purpose: str) -> None:
    content = bytes(range(256))
    file = api.upload("a.bin", content, purpose=purpose)
    reply = api.call("GET", f"/files/{file['id']}/content")
    assert (reply.status, reply.content) == (200, content)


def test_uploads_for_assistants_are_not_given_back(api: Api) -> None:
    file = api.upload("a.txt", b"x")
    status, error = api.refused("GET", f"/files/{file['id']}/content")
    assert (status, error["message"]) == (400, "Not allowed to download files of purpose: assistants")


def test_a_wrong_purpose_is_answered_in_the_recorded_words(api: Api) -> None:
    status, body = refused_upload(api, Upload("a", b"x", {"purpose": "magic"}))
    allowed = "['fine-tune', 'assistants', 'batch', 'user_data', 'vision', 'evals']"
    message = f"'magic' is not one of {allowed} - 'purpose'"
    assert status == 400
    assert body["error"]["message"] == message
    assert body["error"]["param"] == "purpose"
    assert body["detail"] == {"message": message, "code": None}


def test_file_and_purpose_are_required(api: Api) -> None:
    assert refused_upload(api, None)[1]["error"]["param"] == "file"
    assert refused_upload(api, Upload("a", b"x", {}))[1]["error"]["param"] == "purpose"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\temp\\a.txt", "a.txt"),
        ("a\0b\n.txt", "ab.txt"),
        ("x" * 4096, "x" * 255),
        ("..", "file"),
        ("", "file"),
        ("名前.pdf", "名前.pdf"),
    ],
)
def test_names_are_kept_as_names_not_as_paths(api: Api, sent: str, kept: str) -> None:
    assert api.upload(sent, b"x")["filename"] == kept


def test_a_file_with_a_life_is_gone_after_it(api: Api) -> None:
    life = {"expires_after[anchor]": "created_at", "expires_after[seconds]": "3600"}
    file = api.upload("a.txt", b"x", **life)
    assert file["expires_at"] == file["created_at"] + 3600
    api.time.forward(3600)
    assert api.get("/files")["data"] == []
    status, error = api.refused("GET", f"/files/{file['id']}")
    assert (status, error["message"], error["param"]) == (404, f"No such File object: {file['id']}", "id")


@pytest.mark.parametrize("seconds", ["10", "2592001", "soon", "-3600", "9" * 50])
def test_a_life_outside_its_bounds_is_refused(api: Api, seconds: str) -> None:
    fields = {"purpose": "batch", "expires_after[anchor]": "created_at", "expires_after[seconds]": seconds}
    assert refused_upload(api, Upload("a", b"x", fields))[0] == 400


@pytest.mark.parametrize(("given", "missing"), [("anchor", "seconds"), ("seconds", "anchor")])
def test_a_life_needs_both_its_parts(api: Api, given: str, missing: str) -> None:
    value = {"anchor": "created_at", "seconds": "3600"}[given]
    fields = {"purpose": "batch", f"expires_after[{given}]": value}
    status, answer = refused_upload(api, Upload("a", b"x", fields))
    assert (status, answer["error"]["param"]) == (400, f"expires_after.{missing}")


@pytest.mark.parametrize("purpose", ["fine-tune", "batch", "user_data", "vision", "evals"])
def test_uploads_for_every_other_purpose_are_given_back(api: Api, purpose: str) -> None:
    file = api.upload("a.txt", b"as it was", purpose=purpose)
    assert file["purpose"] == purpose
    assert api.call("GET", f"/files/{file['id']}/content").content == b"as it was"


def test_files_are_listed_by_purpose_and_up_to_ten_thousand(api: Api) -> None:
    for number in range(30):
        api.upload(f"{number}.txt", b"x", purpose="batch" if number % 3 else "assistants")
    assert len(api.get("/files")["data"]) == 30
    assert len(api.get("/files", purpose="assistants")["data"]) == 10
    assert api.get("/files", limit=10_000)["has_more"] is False
    api.refused("GET", "/files", limit=10_001)


def test_a_deleted_file_leaves_every_store(api: Api) -> None:
    file = api.upload("moon.txt", b"The moon is made of cheese.")["id"]
    stores = [api.post("/vector_stores", {"file_ids": [file]})["id"] for _ in range(2)]
    assert api.delete(f"/files/{file}") == {"id": file, "object": "file", "deleted": True}
    api.refused("DELETE", f"/files/{file}")
    for store in stores:
        assert api.get(f"/vector_stores/{store}")["file_counts"]["total"] == 0
        assert api.post(f"/vector_stores/{store}/search", {"query": "moon"})["data"] == []
