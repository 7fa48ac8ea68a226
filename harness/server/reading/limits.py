"""How much one document may use while it is read, and how large its text may be."""

from __future__ import annotations

import msgspec

MEGABYTE = 1024 * 1024

MAX_TOKENS = 5_000_000
"""Of one file, as on the hosted API."""

MAX_CHARACTERS = 50_000_000
"""Text this long is refused before its tokens are counted: no language has ten characters to a token."""

PLAIN_BYTES = MEGABYTE
"""Plain text, source code, CSV and JSON up to this size are read without another process: no parser written
in C sees them, each step over them takes time in proportion to their length, and a process costs 0.1 s."""

MAX_MEMBERS = 10_000
"""Entries of a DOCX or PPTX archive; a presentation of 1,000 slides has about 4,000."""

MAX_PART_BYTES = 256 * MEGABYTE
"""One unpacked part of a DOCX or PPTX; the text of a book of 1,000 pages is a part of about 10 MB."""


class Limits(msgspec.Struct, frozen=True):
    """What a reading process may use; a document that needs more is refused, and the error says which it was.

    Attributes:
        memory_bytes: Address space of the process: four times the largest upload the hosted API takes.
        cpu_s: Seconds of processor time one document may take: a PDF of 20,000 pages needs less.
        wall_s: Seconds one document may take in all, on a machine that is busy with other things too.
        start_s: Seconds a process may take to come up.
        idle_s: Seconds without work after which a process is ended, to give its memory back.
        documents: Documents after which a process is replaced, as parsers may leak.
        large_bytes: A process that has read a document larger than this is replaced, for its memory's sake.
    """

    memory_bytes: int = 2048 * MEGABYTE
    cpu_s: int = 120
    wall_s: float = 300.0
    start_s: float = 30.0
    idle_s: float = 20.0
    documents: int = 500
    large_bytes: int = 32 * MEGABYTE
