from __future__ import annotations

from importlib import resources
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.embedding import files
from harness.scorers.readings import MOST_TOKENS, TYPES, Gains, Reader, Reading

TEXTS = st.text(max_size=300) | st.lists(
    st.sampled_from(
        ["Exports take 5 days. ", "Why? ", "- one\n", "Jo's e-mail jo@example.com!\n\n", "a | b |\n"]
    ),
    max_size=120,
).map("".join)


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    folder = resources.files("harness.embedding").joinpath("minilm")
    return files.tokenizer(files.checked(folder, "tokenizer.json")[0])


def shown(tokenizer: Any, reading: Reading) -> str:
    return str(tokenizer.decode(reading.ids[: reading.first]))


@settings(max_examples=80, deadline=None)
@given(TEXTS, TEXTS, TEXTS)
def test_readings_hold_each_token_of_the_answer_once_and_fit_the_model(
    tokenizer: Any, question: str, context: str, answer: str
) -> None:
    readings = Reader(tokenizer).readings(question, context, answer)
    whole = tokenizer.encode(answer, add_special_tokens=False)
    assert [place for reading in readings for place in reading.places] == whole.offsets
    assert [token for reading in readings for token in reading.ids[reading.first : -1]] == whole.ids
    for reading in readings:
        assert len(reading.ids) == len(reading.types) <= MOST_TOKENS
        assert len(reading.places) == len(reading.ids) - reading.first - 1
        assert all(0 <= kind < TYPES for kind in reading.types)


class Counted:
    """An encoding that counts how often its tokens are asked for."""

    asked = 0

    def __init__(self, encoding: Any) -> None:
        self._encoding = encoding

    def __getattr__(self, name: str) -> Any:
        Counted.asked += 1
        return getattr(self._encoding, name)


def test_the_tokens_of_an_answer_are_made_once_however_many_pieces_it_has(tokenizer: Any) -> None:
    class Counting:
        token_to_id = tokenizer.token_to_id

        def encode(self, text: str, **more: Any) -> Any:
            encoding = tokenizer.encode(text, **more)
            return Counted(encoding) if text.startswith("1,") else encoding

    Counted.asked = 0
    readings = Reader(Counting()).readings("Which?", "One. Two.", "1," * 5_000)
    assert len(readings) > 20
    assert Counted.asked == 2


def test_of_a_long_context_the_sentences_that_share_rare_words_are_read(tokenizer: Any) -> None:
    dull = [f"Invoices of customer {number} are sent by mail on the first day." for number in range(5_000)]
    context = " ".join([*dull[:4_000], "The zeppelin hangar opens at nine.", *dull[4_000:]])
    [reading] = Reader(tokenizer).readings("When?", context, "The zeppelin hangar opens at ten.")
    assert "the zeppelin hangar opens at nine." in shown(tokenizer, reading)


def test_each_piece_of_a_long_answer_has_evidence_of_its_own(tokenizer: Any) -> None:
    dull = " ".join(f"Room {number} has a table and a chair." for number in range(200))
    context = f"{dull} Otters sleep in rafts. {dull} Comets are made of ice."
    filler = "The rooms all have tables and chairs. " * 40
    readings = Reader(tokenizer).readings(
        "", context, f"Otters sleep alone. {filler}Comets are made of rock."
    )
    assert len(readings) > 1
    assert "otters sleep in rafts" in shown(tokenizer, readings[0])
    assert "comets are made of ice" in shown(tokenizer, readings[-1])


def test_a_number_that_stands_nowhere_has_a_type_of_its_own(tokenizer: Any) -> None:
    reader = Reader(tokenizer)
    [there] = reader.readings("", "Refunds take 5 days.", "Refunds take 5 days.")
    [other] = reader.readings("", "Refunds take 5 days.", "Refunds take 9 days.")
    assert there.types[there.first :] != other.types[other.first :]


@given(
    st.lists(st.frozensets(st.sampled_from("abcdef")), min_size=1, max_size=8),
    st.frozensets(st.sampled_from("abcdef")),
    st.data(),
)
def test_what_sentences_would_add_is_the_same_as_weighed_afresh_each_time(
    stems: list[frozenset[str]], wanted: frozenset[str], data: st.DataObject
) -> None:
    rarity = {letter: 1 + place / 7 for place, letter in enumerate("abcde")}
    left = dict(enumerate(one & wanted for one in stems))
    gains = Gains(wanted, dict(left), rarity)
    open_words = wanted
    while left:
        for index, shared in left.items():
            new = sum(rarity.get(stem, 1.0) for stem in sorted(shared & open_words))
            everything = sum(rarity.get(stem, 1.0) for stem in sorted(shared))
            assert gains.of(index) == (new, everything, -index)
        taken = data.draw(st.sampled_from(sorted(left)))
        gains.take(taken)
        open_words -= left.pop(taken)
        if not any(open_words & shared for shared in left.values()):
            open_words = wanted
