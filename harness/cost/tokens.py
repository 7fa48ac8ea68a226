"""Exact token counts, from the tokenizer ranks inside this package: no network, ever.

tiktoken fetches its ranks from the network on first use; here they are read from
``harness/cost/ranks/*.tiktoken.zst`` (byte for byte the published files, checked against their SHA-256).
"""

from __future__ import annotations

import binascii
import hashlib
import threading
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from harness.cost.first_counts import FirstCounts
from harness.errors import HarnessError

if TYPE_CHECKING:
    import tiktoken

_SHA256 = {
    "o200k_base": "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
    "cl100k_base": "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
}
# Split patterns and special tokens as tiktoken_ext.openai_public defines them.
_SPLIT_PATTERN = {
    "cl100k_base": (
        r"""'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$"""
        r"""|\s*[\r\n]|\s+(?!\S)|\s"""
    ),
    "o200k_base": "|".join(
        [
            r"""[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?""",
            r"""[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?""",
            r"""\p{N}{1,3}""",
            r""" ?[^\s\p{L}\p{N}]+[\r\n/]*""",
            r"""\s*[\r\n]+""",
            r"""\s+(?!\S)""",
            r"""\s+""",
        ]
    ),
}
_SPECIAL_TOKENS = {
    "cl100k_base": {
        "<|endoftext|>": 100257,
        "<|fim_prefix|>": 100258,
        "<|fim_middle|>": 100259,
        "<|fim_suffix|>": 100260,
        "<|endofprompt|>": 100276,
    },
    "o200k_base": {"<|endoftext|>": 199999, "<|endofprompt|>": 200018},
}
_OLDER_MODELS = ("gpt-4-", "gpt-3.5", "text-embedding-")


def encoding_name(model: str) -> str:
    """The encoding of a model; names nobody knows get that of current models, o200k_base."""
    name = model.lower().rsplit("/", 1)[-1]
    older = name == "gpt-4" or (name.startswith(_OLDER_MODELS) and not name.startswith("gpt-4-o"))
    return "cl100k_base" if older else "o200k_base"


_FIRST = "o200k_base"
_built: dict[str, tiktoken.Encoding] = {}
_building = threading.Lock()


def encoding(name: str) -> tiktoken.Encoding:
    """The encoder, built once a process (about 0.3 s and 50 MB), whoever asks for it at the same time.

    Raises:
        HarnessError: The ranks in the package are damaged (code ``ranks-damaged``).
    """
    if name not in _built:
        with _building:
            if name not in _built:
                _built[name] = _build(name)
                if name == _FIRST:
                    _first_counts.cache_clear()  # nobody counts that way any more
    return _built[name]


def _build(name: str) -> tiktoken.Encoding:
    import tiktoken

    return tiktoken.Encoding(
        name=name,
        pat_str=_SPLIT_PATTERN[name],
        mergeable_ranks=_ranks(name),
        special_tokens=_SPECIAL_TOKENS[name],
    )


def _ranks(name: str) -> dict[bytes, int]:
    fields = _published(name).split()  # token and rank in turn
    return dict(zip(map(binascii.a2b_base64, fields[::2]), map(int, fields[1::2]), strict=True))


def _published(name: str) -> bytes:
    """The file of ranks as it was published."""
    import zstandard

    packed = resources.files("harness.cost").joinpath("ranks", f"{name}.tiktoken.zst").read_bytes()
    try:
        content = zstandard.ZstdDecompressor().decompress(packed)
    except zstandard.ZstdError:
        content = b""
    if hashlib.sha256(content).hexdigest() != _SHA256[name]:
        raise HarnessError(
            f"the tokenizer ranks of {name!r} in this installation are damaged",
            code="ranks-damaged",
            hint="install the package again",
        )
    return content


@cache
def _first_counts() -> FirstCounts:
    return FirstCounts(_published(_FIRST))


def encode(text: str, model: str = "gpt-5.4") -> list[int]:
    """Token ids of a text; special-token texts in it are counted as ordinary text."""
    return encoding(encoding_name(model)).encode_ordinary(text)


def count(text: str, model: str = "gpt-5.4") -> int:
    """How many tokens a text is for this model."""
    name = encoding_name(model)
    first = _first_tokens(text, name)
    return len(encoding(name).encode_ordinary(text)) if first is None else len(first)


def cut(text: str, name: str) -> list[bytes]:
    """The tokens of a text, as bytes, by the encoding of this name."""
    first = _first_tokens(text, name)
    if first is not None:
        return first
    encoder = encoding(name)
    return encoder.decode_tokens_bytes(encoder.encode_ordinary(text))


def _first_tokens(text: str, name: str) -> list[bytes] | None:
    """The tokens of a text while there is too little of it to build the encoder for."""
    return _first_counts().tokens(text) if name == _FIRST and name not in _built else None
