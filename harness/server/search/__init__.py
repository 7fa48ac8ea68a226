"""file_search: extract, chunk, index, rank."""

from harness.server.search.chunk import DEFAULT_MAX_TOKENS, DEFAULT_OVERLAP_TOKENS, Chunk, chunk
from harness.server.search.documents import Document, Page, Unreadable
from harness.server.search.extract import SUPPORTED_TYPES, extract
from harness.server.search.filters import matches
from harness.server.search.index import Hit, Index, IndexedFile, stores

__all__ = [
    "DEFAULT_MAX_TOKENS",
    "DEFAULT_OVERLAP_TOKENS",
    "SUPPORTED_TYPES",
    "Chunk",
    "Document",
    "Hit",
    "Index",
    "IndexedFile",
    "Page",
    "Unreadable",
    "chunk",
    "extract",
    "matches",
    "stores",
]
