"""file_search: chunk, index, rank."""

from harness.server.reading import Document, Page
from harness.server.search.chunk import DEFAULT_MAX_TOKENS, DEFAULT_OVERLAP_TOKENS, Chunk, chunk
from harness.server.search.filters import matches
from harness.server.search.index import Hit, Index, IndexedFile, stores, within_budget

__all__ = [
    "DEFAULT_MAX_TOKENS",
    "DEFAULT_OVERLAP_TOKENS",
    "Chunk",
    "Document",
    "Hit",
    "Index",
    "IndexedFile",
    "Page",
    "chunk",
    "matches",
    "stores",
    "within_budget",
]
