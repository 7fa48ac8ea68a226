"""Files made to hurt: each ends completed or failed with a reason, and the good one beside it is indexed."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from harness.server.reading import readers
from harness.server.reading.limits import Limits
from harness.server.reading.readers import Readers

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
DRAWN = b"BT /F1 12 Tf 72 700 Td (Refunds take 5 days.) Tj ET"

GOOD = DRAWN.replace(b"Refunds take 5 days", b"The zebra crossing is painted on Mondays")


def archive(parts: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as made:
        for name, part in parts.items():
            made.writestr(name, part)
    return content.getvalue()


def word(body: bytes, **others: bytes) -> bytes:
    document = b"<w:document xmlns:w='%s'><w:body>%s</w:body></w:document>" % (W.encode(), body)
    return archive({"word/document.xml": document, **others})


def paragraph(text: bytes) -> bytes:
    return b"<w:p><w:r><w:t>" + text + b"</w:t></w:r></w:p>"


def slides(prolog: bytes, text: bytes) -> bytes:
    relations = b"http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    listed = b"<sldIdLst><sldId r:id='a'/></sldIdLst>"
    return archive(
        {
            "ppt/presentation.xml": b"<presentation xmlns:r='%s'>%s</presentation>" % (relations, listed),
            "ppt/_rels/presentation.xml.rels": b"<a><b Id='a' Type='x/slide' Target='slide1.xml'/></a>",
            "ppt/slide1.xml": prolog + b"<sld><sp><txBody><p><r><t>%s</t></r></p></txBody></sp></sld>" % text,
        }
    )


def lying_archive() -> bytes:
    """Its entry declares a size far below that which it unpacks to."""
    content = word(b" " * 60_000_000)
    size = zipfile.ZipFile(io.BytesIO(content)).infolist()[0].file_size
    return content.replace(size.to_bytes(4, "little"), (1000).to_bytes(4, "little"))


def laughs(document: bytes = b"<a>&e9;</a>") -> bytes:
    entities = [b"<!ENTITY e0 'ha'>"]
    entities += [b"<!ENTITY e%d '%s'>" % (each, b"&e%d;" % (each - 1) * 10) for each in range(1, 10)]
    return b"<!DOCTYPE a [" + b"".join(entities) + b"]>" + document


EXTERNAL = b"<!DOCTYPE a [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>"


def pdf_of(objects: list[bytes]) -> bytes:
    written, places = b"%PDF-1.7\n", []
    for number, content in enumerate(objects, start=1):
        places.append(len(written))
        written += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    start = len(written)
    written += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + table
    return written + b"trailer\n<</Root 1 0 R/Size %d>>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, start)


def stream(content: bytes, more: bytes = b"") -> bytes:
    return b"<<%s/Length %d>>\nstream\n%s\nendstream" % (more, len(content), content)


def pdf(
    drawn: bytes = DRAWN,
    *,
    box: bytes = b"0 0 612 792",
    more: bytes = b"",
    packed: bytes = b"",
    count: int = 1,
) -> bytes:
    kids = b"3 0 R " * count
    return pdf_of(
        [
            b"<</Type/Catalog/Pages 2 0 R>>",
            b"<</Type/Pages/Kids[%s]/Count %d>>" % (kids, count),
            b"<</Type/Page/Parent 2 0 R/MediaBox[%s]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>"
            b"/XObject<</X 6 0 R>>>>%s>>" % (box, more),
            stream(drawn, packed),
            b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
            stream(
                b"/X Do /X Do", b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X 6 0 R>>>>"
            ),
        ]
    )


# Name, how it is made, and what is said of it: None where its text is found.
FILES: dict[str, tuple[Callable[[], bytes], str | None]] = {
    "bomb.docx": (lambda: word(b" " * 60_000_000), "would unpack to 60,0"),
    "bomb.pptx": (lambda: slides(b" " * 60_000_000, b""), "would unpack to 60,0"),
    "lying.docx": (lying_archive, "'lying.docx' is damaged: word/document.xml: Bad CRC-32"),
    "many.docx": (lambda: archive({f"word/{each}": b"" for each in range(10_001)}), "more than 10,000 parts"),
    "media.docx": (lambda: word(paragraph(b"Fine."), **{"word/a.png": bytes(50_000_000)}), None),
    "nested.docx": (lambda: word(paragraph(b"Fine."), **{"word/a.zip": archive({"b": bytes(10**7)})}), None),
    "laughs.docx": (lambda: archive({"word/document.xml": laughs()}), "declares a document type"),
    "laughs.pptx": (lambda: slides(laughs(b""), b"&e9;"), "declares a document type"),
    "external.docx": (
        lambda: archive({"word/document.xml": EXTERNAL + b"<a>&e;</a>"}),
        "declares a document type",
    ),
    "external.pptx": (lambda: slides(EXTERNAL, b"&e;"), "declares a document type"),
    "deep.docx": (lambda: word(b"<w:sdt>" * 100_000 + b"</w:sdt>" * 100_000), "'deep.docx' is damaged"),
    "huge_page.pdf": (lambda: pdf(box=b"0 0 1e30 1e30"), None),
    "no_page_size.pdf": (lambda: pdf(box=b"0 0 -99999999999 0"), None),
    "deep_array.pdf": (lambda: pdf(more=b"/X " + b"[" * 200_000 + b"]" * 200_000), None),
    "deep_names.pdf": (lambda: pdf(more=b"/X " + b"<</A " * 50_000 + b"1" + b">>" * 50_000), None),
    "endless_form.pdf": (lambda: pdf(b"/X Do /X Do"), "ended in a crash (SIG"),
    "bomb.pdf": (
        lambda: pdf(zlib.compress(b" " * 50_000_000), packed=b"/Filter/FlateDecode"),
        "no text was found",
    ),
    "many_pages.pdf": (lambda: pdf(count=2000), None),
    "cut_off.pdf": (lambda: pdf()[:200], "'cut_off.pdf' is"),
    "picture.pdf": (lambda: pdf(b"0 0 100 100 re f"), "run text recognition (OCR)"),
    "deep.json": (lambda: b"[" * 100_000 + b"]" * 100_000, None),
    "deep.html": (lambda: b"<b><i>" * 50_000 + b"deep words", None),
    "tables.html": (lambda: b"<table><tr><td>" * 50_000 + b"deep words", None),
    "comments.txt": (lambda: b"<!---->" * 100_000 + b"x", None),
    "dots.txt": (lambda: b"." * 900_000 + b"x", None),
    "abbreviations.md": (lambda: b"e.g. " * 100_000, None),
    "one_word.txt": (lambda: b"a" * 900_000, None),
    "quotes.csv": (lambda: b'"' * 300_000 + b"x", None),
    "really_a.pdf": (lambda: word(paragraph(b"Fine.")), None),
    "really_a.txt": (pdf, None),
    "really_a.docx": (lambda: b"<!doctype html><p>Hello", "'really_a.docx' is damaged: it does not begin as"),
    "really_a.md": (lambda: b"<!doctype html><p>Hello", None),
    "nul.txt": (
        lambda: b"Refunds\x00 take 5 days, " + b"as ever, as we said before, for all who ask us. " * 9,
        None,
    ),
    "zeros.txt": (lambda: bytes(10_000), "is empty"),
    "blank.md": (lambda: b" \n\t\n " * 10_000, "is empty"),
    "long.txt": (lambda: b"The quick brown fox jumps. " * 1_500_000, "has more than 5,000,000 tokens"),
    "longer.txt": (lambda: b"The quick brown fox jumps. " * 3_800_000, "longer than 50,000,000 characters"),
}


@pytest.fixture(autouse=True)
def pool(monkeypatch: pytest.MonkeyPatch) -> None:
    """Less memory than in earnest, so that a file that asks for all of it gets there soon."""
    monkeypatch.setattr(readers, "_READERS", Readers(Limits(memory_bytes=700 * 1024 * 1024)))


def indexed(api: Any, files: list[tuple[str, bytes]]) -> dict[str, Any]:
    """The rows of a batch by file name, the good file's among them."""
    named = {api.upload(name, content)["id"]: name for name, content in [*files, ("good.pdf", pdf(GOOD))]}
    store = api.post("/vector_stores", {})["id"]
    api.post(f"/vector_stores/{store}/file_batches", {"file_ids": list(named)})
    rows = api.get(f"/vector_stores/{store}/files", limit=100)["data"]
    found = api.post(f"/vector_stores/{store}/search", {"query": "zebra crossing"})["data"]
    assert "good.pdf" in {hit["filename"] for hit in found}
    return {named[row["id"]]: row for row in rows}


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_is_read_or_refused_and_the_good_one_beside_it_is_indexed(api: Any, name: str) -> None:
    make, said = FILES[name]
    row = indexed(api, [(name, make())])[name]
    if said is None:
        assert (row["status"], row["last_error"]) == ("completed", None)
    else:
        assert (row["status"], row["last_error"]["code"]) == ("failed", "invalid_file")
        assert said in row["last_error"]["message"]


@pytest.mark.parametrize(
    "name",
    [
        "../../../etc/passwd.txt",
        "C:\\temp\\..\\notes.txt",
        "a\x00b.txt",
        "x" * 4096 + ".txt",
        "\u202etxt.exe.txt",
        "\u200f\u200e.txt",
        "..",
        " ",
    ],
    ids=["path", "windows", "nul", "long", "right to left", "invisible", "dots", "blank"],
)
def test_a_file_with_an_odd_name_is_indexed_and_refused_by_a_short_one(api: Any, name: str) -> None:
    assert {row["status"] for row in indexed(api, [(name, b"Refunds take 5 days.")]).values()} == {
        "completed"
    }
    refused = indexed(api, [(name, b"")])[name]
    assert "is empty; upload a file that has text in it" in refused["last_error"]["message"]
    assert len(refused["last_error"]["message"]) < 200
    assert refused["last_error"]["message"].isprintable()


def test_a_long_name_keeps_its_ending(api: Any) -> None:
    assert api.upload("x" * 4096 + ".csv", b"a,b\n1,2\n")["filename"] == "x" * 251 + ".csv"
