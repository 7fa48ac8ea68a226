"""Sentences that stand word for word in the evidence: nothing supports them better."""

from __future__ import annotations

import re

from harness.text import fold, words

_FEWEST_WORDS = 4
_NOT = re.compile(r"n't\b")


class Copies:
    """What a text says, word for word; case, punctuation and contractions of "not" don't matter."""

    def __init__(self, text: str) -> None:
        self._text = _spelt(text)

    def hold(self, sentence: str) -> bool:
        """Whether the text says this sentence, of four words or more, in the same words."""
        wanted = _spelt(sentence)
        return wanted.count(" ") > _FEWEST_WORDS and wanted in self._text


def _spelt(text: str) -> str:
    plain = _NOT.sub(" not", fold(text).replace("can't", "can not").replace("cannot", "can not"))
    return f" {' '.join(word.text for word in words(plain))} "
