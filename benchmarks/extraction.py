"""Pages a minute from bytes to chunks, on two cores: documents are read in processes and cut by two threads.

python -m benchmarks.extraction
"""

from __future__ import annotations

import io
import resource
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from harness.server.reading.readers import Readers
from harness.server.search import chunk

_DOCUMENTS = 40
_PAGES = 25
_LONG_PAGES = 2000
_PROSE = (
    "Part {number}. The export of a dashboard starts in the settings and takes about ten minutes for a large"
    " workspace. The link to the file is valid for 24 hours, and after that time the export has to be started"
    " again. Owners and editors can always export, viewers only when an administrator has allowed it before."
)
_PARAGRAPHS = 8
"""Of a page: 2,500 characters, as in a dense manual."""
_ROWS = [["Plan", "Members", "Price"], ["Team", "20", "49 EUR per month"], ["Business", "100", "129 EUR"]]


def _paragraphs(page: int) -> list[str]:
    return [_PROSE.format(number=f"{page}.{place}") for place in range(_PARAGRAPHS)]


def pdf(pages: int) -> bytes:
    """Pages of prose with a table each, and running footers."""
    from reportlab.lib.styles import getSampleStyleSheet
    from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate, Table

    style = getSampleStyleSheet()["BodyText"]
    flow = [
        part
        for page in range(pages)
        for part in (*(Paragraph(text, style) for text in _paragraphs(page)), Table(_ROWS), PageBreak())
    ]
    content = io.BytesIO()
    SimpleDocTemplate(content).build(flow)
    return content.getvalue()


def word(pages: int) -> bytes:
    """The same text in a Word document, a heading and a table for each page."""
    import docx

    document = docx.Document()
    for page in range(pages):
        document.add_heading(f"Chapter {page}", 1)
        for text in _paragraphs(page):
            document.add_paragraph(text)
        table = document.add_table(rows=0, cols=3)
        for row in _ROWS:
            for cell, text in zip(table.add_row().cells, row, strict=True):
                cell.text = text
    content = io.BytesIO()
    document.save(content)
    return content.getvalue()


def html(pages: int) -> bytes:
    """The same text as a web page."""
    rows = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in _ROWS)
    parts = ["".join(f"<p>{text}</p>" for text in _paragraphs(page)) for page in range(pages)]
    return ("<!doctype html><html><body>" + f"<table>{rows}</table>".join(parts)).encode()


def markdown(pages: int) -> bytes:
    """The same text without a format."""
    return "\n\n".join(text for page in range(pages) for text in _paragraphs(page)).encode()


def pages_a_minute(name: str, content: bytes, pages: int, documents: int) -> float:
    """Of many documents read and cut by two threads, once the processes and the tokenizer are warm."""
    readers = Readers()

    def work(number: int) -> int:
        return len(chunk(readers.read(f"{number}-{name}", content)))

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(work, range(2)))
        start = time.perf_counter()
        list(threads.map(work, range(documents)))
        spent = time.perf_counter() - start
    readers.close()
    return 60 * pages * documents / spent


def first_document_ms(content: bytes) -> float:
    """From nothing to the text of a document of one page: what starting a process costs."""
    readers = Readers()
    start = time.perf_counter()
    readers.read("first.pdf", content)
    spent = time.perf_counter() - start
    readers.close()
    return 1000 * spent


def main() -> None:
    """Print a Markdown table."""
    kinds: dict[str, Callable[[int], bytes]] = {
        "a.pdf": pdf,
        "a.docx": word,
        "a.html": html,
        "a.md": markdown,
    }
    print("| measured | value |\n| --- | ---: |")
    for name, make in kinds.items():
        rate = pages_a_minute(name, make(_PAGES), _PAGES, _DOCUMENTS)
        print(f"| {name.partition('.')[2].upper()}: pages a minute, read and cut | {rate:,.0f} |")
    long = pdf(_LONG_PAGES)
    start = time.perf_counter()
    readers = Readers()
    document = readers.read("long.pdf", long)
    read = time.perf_counter() - start
    chunks = len(chunk(document))
    cut = time.perf_counter() - start - read
    readers.close()
    print(f"| one PDF of {len(document.pages):,} pages: seconds to read it | {read:.1f} |")
    print(f"| seconds to cut it into {chunks:,} chunks | {cut:.1f} |")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"| memory of the process that read it, MB | {peak:.0f} |")
    first = min(first_document_ms(pdf(1)) for _ in range(5))
    print(f"| first document, process started for it, ms | {first:.0f} |")


if __name__ == "__main__":
    main()
