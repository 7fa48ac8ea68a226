"""Speed of file_search: documents indexed a minute, and CPU of a search over 10,000 chunks.

    python -m benchmarks.search [--pages 120] [--chunks 10000]

Texts are invented: English words drawn by rank as in ordinary text, in sentences and paragraphs, so that most
chunks hold all the usual words. Pages (560 words each, as PDF) go through everything that an upload does:
extraction, chunks, words, embeddings, SQLite. The chunks of the large store are of 800 tokens with 400 of
overlap; their vectors are drawn by chance, because embedding them takes minutes and changes nothing about
searching them. The query's vector is made by the real model every time.
"""

from __future__ import annotations

import argparse
import io
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import accumulate, count

import numpy as np
from numpy.typing import NDArray

from harness import text as words_and_sentences
from harness.embedding import encoder
from harness.server import search
from harness.server.reading import readers

_PAGE_WORDS = 560
_DOCUMENT_PAGES = 12


def vocabulary() -> list[str]:
    """Whole English words that the encoder knows, the commonest first as far as its numbering tells."""
    known = embedder()._tokenizer.get_vocab()
    words = (word for word, _ in sorted(known.items(), key=lambda pair: pair[1]))
    return [word for word in words if len(word) > 3 and word.isascii() and word.isalpha()][:15_000]


def embedder() -> encoder.Embedder:
    """The package's own model, which must be there to be measured."""
    found = encoder.default()
    if found is None:
        raise SystemExit(f"error: no embeddings to measure: {encoder.described()}")
    return found


class Writer:
    """Invents texts; the same ones for the same seed."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._words = vocabulary()
        self._weights = list(accumulate(1 / (rank + 10) for rank in range(len(self._words))))

    def page(self) -> str:
        """Paragraphs of some sentences each."""
        paragraphs = [" ".join(self._sentence() for _ in range(5)) for _ in range(_PAGE_WORDS // 70)]
        return "\n\n".join(paragraphs)

    def question(self, size: int, first: int, last: int) -> str:
        """So many words of these ranks, stop words left out."""
        telling = [word for word in self._words[first:last] if words_and_sentences.content_stems(word)]
        return " ".join(self._chance.sample(telling, size)) + "?"

    def _sentence(self) -> str:
        words = self._chance.choices(self._words, cum_weights=self._weights, k=14)
        return f"{' '.join(words).capitalize()}."


class ChanceVectors(encoder.Embedder):
    """The real model for queries; for chunks, vectors of length 1 drawn by chance."""

    def __init__(self) -> None:
        self.__dict__.update(embedder().__dict__)
        self._chance = np.random.default_rng(3)

    def embed_windows(self, windows: Sequence[encoder.Window]) -> NDArray[np.float32]:
        """Real for one, by chance for many."""
        if len(windows) < 5:
            self._known.clear()  # a query that was asked before is made again
            return super().embed_windows(windows)
        drawn = self._chance.standard_normal((len(windows), encoder.DIMENSIONS), np.float32)
        made: NDArray[np.float32] = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
        return made


def pdf(pages: Sequence[str]) -> bytes:
    """The pages as a PDF."""
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.styles import getSampleStyleSheet
    from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate

    style = getSampleStyleSheet()["BodyText"]
    story: list[object] = []
    for page in pages:
        story += [*(Paragraph(each, style) for each in page.split("\n\n")), PageBreak()]
    out = io.BytesIO()
    SimpleDocTemplate(out, pagesize=A4, leftMargin=40, rightMargin=40).build(story)
    return out.getvalue()


def index_pages(uploads: Sequence[bytes]) -> int:
    """Index uploads as a server does; how many chunks they make."""
    index = search.Index()
    for number, content in enumerate(uploads):
        document = readers.read(f"{number}.pdf", content)
        index.add(f"file-{number}", f"{number}.pdf", search.chunk(document))
    return len(index)


def fill(index: search.Index, writer: Writer, least: int) -> None:
    """Add documents until there are so many chunks."""
    for number in count():
        pages = tuple(search.Page(place, writer.page()) for place in range(40))
        document = search.Document(f"{number}.txt", pages)
        index.add(f"file-{number}", document.filename, search.chunk(document))
        if number % 10 == 0 and len(index) >= least:
            return


def cpu_ms(work: Callable[[], object], times: int = 9) -> float:
    """Median CPU of all threads of this process."""
    spent = []
    for _ in range(times):
        begun = time.process_time()
        work()
        spent.append(1000 * (time.process_time() - begun))
    return statistics.median(spent)


def indexing(pages: int) -> Iterator[tuple[str, str]]:
    """What indexing costs."""
    writer = Writer(5)
    texts = [writer.page() for _ in range(pages)]
    uploads = [pdf(texts[at : at + _DOCUMENT_PAGES]) for at in range(0, pages, _DOCUMENT_PAGES)]
    index_pages([pdf([writer.page()])])  # everything is loaded once
    wall, cpu = time.perf_counter(), time.process_time()
    chunks = index_pages(uploads)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    yield f"pages indexed a minute ({pages} pages, {chunks} chunks)", f"{60 * pages / wall:,.0f}"
    yield "CPU of a page", f"{1000 * cpu / pages:.0f} ms"


def searching(chunks: int) -> Iterator[tuple[str, str]]:
    """What searches cost."""
    writer, model = Writer(7), ChanceVectors()
    index = search.Index(embedder=lambda: model)
    fill(index, writer, chunks)
    index.search("warm up")
    question = writer.question(15, 0, 400)
    queries = {
        "2 rare words": writer.question(2, 9_000, 12_000),
        "1 rare, 3 everyday words": f"{writer.question(1, 9_000, 12_000)} {writer.question(3, 0, 400)}",
        "8 everyday words": writer.question(8, 0, 400),
        "15 everyday words": question,
    }
    alone = cpu_ms(lambda: model.embed([question]))
    yield "vector of a question of 15 words", f"{alone:.1f} ms"
    for name, query in queries.items():
        spent = cpu_ms(partial(index.search, query))
        yield f"search over {len(index):,} chunks: {name}", f"{spent:.0f} ms"


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pages", type=int, default=120)
    parser.add_argument("--chunks", type=int, default=10_000)
    arguments = parser.parse_args()
    print("| measured | value |\n| --- | ---: |")
    for rows in (indexing(arguments.pages), searching(arguments.chunks)):
        for what, value in rows:
            print(f"| {what} | {value} |")


if __name__ == "__main__":
    main()
