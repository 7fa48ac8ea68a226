"""What the terminal can take: how wide it is, and which characters it shows."""

from __future__ import annotations

import codecs
import io
import sys

_USUAL_WIDTH = 100
_PLAIN = {"─": "-", "…": "...", "–": "-", "≥": ">=", "“": '"', "”": '"', "’": "'", "·": "-"}


def width() -> int:
    """Columns of the terminal; 100 where the output goes to a file or another program."""
    if not sys.stdout.isatty():
        return _USUAL_WIDTH
    import shutil

    return shutil.get_terminal_size((_USUAL_WIDTH, 24)).columns


def show_what_it_can() -> None:
    """From now on a stream that lacks a character gets its nearest plain one, or a question mark."""
    codecs.register_error("plain", _plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="plain")


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    return "".join(_PLAIN.get(character, "?") for character in missing), error.end
