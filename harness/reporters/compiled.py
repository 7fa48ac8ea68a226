"""Compiled templates, kept where Python keeps compiled modules: compiling costs more than a small report."""

from __future__ import annotations

import hashlib
import os
import sys
from contextlib import suppress
from pathlib import Path

import jinja2
from jinja2.bccache import Bucket, BytecodeCache


class CompiledTemplates(BytecodeCache):
    """Keeps what templates were compiled to beside them, unless Python may not write byte code either.

    What is kept is used only for the very same template, compiled by the same versions of Python and Jinja
    and by the same code of ours; where it cannot be written, a template is compiled each time.

    Args:
        folder: Of the templates.
        made_by: The module whose options and filters they are compiled with.
    """

    def __init__(self, folder: Path, made_by: Path) -> None:
        self._folder = folder / "__pycache__"
        self._maker = f"{sys.version} {jinja2.__version__} ".encode() + made_by.read_bytes()

    def load_bytecode(self, bucket: Bucket) -> None:
        """Fill in what is kept of a template, if there is something that fits."""
        with suppress(OSError), self._file(bucket).open("rb") as file:
            bucket.load_bytecode(file)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep what a template was compiled to."""
        if sys.dont_write_bytecode:
            return
        path = self._file(bucket)
        temporary = path.with_suffix(f".{os.getpid()}")
        with suppress(OSError):
            self._folder.mkdir(exist_ok=True)
            temporary.write_bytes(bucket.bytecode_to_string())
            temporary.replace(path)

    def _file(self, bucket: Bucket) -> Path:
        made_of = hashlib.sha256(b"\0".join([self._maker, bucket.key.encode(), bucket.checksum.encode()]))
        return self._folder / f"{made_of.hexdigest()[:32]}.jinja"
