"""File names as clients send them: made harmless, and short enough for a message."""

from __future__ import annotations

import unicodedata
from pathlib import PurePosixPath

_SHOWN_CHARACTERS = 80


def basename(filename: str) -> str:
    """The last part of a name a client sent, whichever separators it used.

    Control characters and invisible ones, such as marks that turn the direction of writing, are left out:
    they would hide what the name ends in.
    """
    visible = "".join(mark for mark in filename if unicodedata.category(mark) not in ("Cc", "Cf", "Cs"))
    name = PurePosixPath(visible.replace("\\", "/")).name.strip()
    return name if name.strip(".") else "file"


def suffix(name: str) -> str:
    """What a name ends in, in lower case, with its dot; empty without one."""
    return PurePosixPath(name).suffix.lower()


def shown(name: str) -> str:
    """The name for a message, in quotes; a long one without its middle."""
    if len(name) > _SHOWN_CHARACTERS:
        half = _SHOWN_CHARACTERS // 2
        name = f"{name[:half]}...{name[-half:]}"
    return repr(name)
