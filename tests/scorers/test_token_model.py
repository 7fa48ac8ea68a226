from __future__ import annotations

import logging
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.scorers import grounding, token_model
from harness.scorers.grounding import THRESHOLD, score_answers

FOLDER = Path(token_model.__file__).parent / "grounding_model"
CONTEXT = "Repairs take 10 working days. Water damage is not covered. Parts are free for 2 years."
ANSWER = "Repairs take 10 working days, and spare parts cost nothing for 2 years."


@pytest.fixture(scope="module")
def model() -> token_model.TokenModel:
    found = token_model.default()
    assert found is not None
    return found


@pytest.fixture
def without_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_model, "default", lambda: None)


def test_the_model_is_small_enough_to_travel_with_the_package() -> None:
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) <= 30_000_000


def test_every_token_of_an_answer_has_a_risk_and_its_place(model: token_model.TokenModel) -> None:
    risks = model.risks("How long?", CONTEXT, ANSWER)
    assert "".join(ANSWER[risk.start : risk.end] for risk in risks) == ANSWER.replace(" ", "")


def test_another_process_finds_the_same_numbers(model: token_model.TokenModel) -> None:
    program = (
        "import sys; from harness.scorers import token_model;"
        "print([risk.logit for risk in token_model.default().risks('How long?', *sys.argv[1:])])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, CONTEXT, ANSWER],
        capture_output=True,
        check=True,
        timeout=120,
        text=True,
    )
    assert done.stdout.strip() == str([risk.logit for risk in model.risks("How long?", CONTEXT, ANSWER)])


@pytest.mark.parametrize(
    "answer", ["", " ", "\ud800 torn", "\x00\x07", "日本語です。", "مرحبا بكم", "```x = 1```", "🙂" * 50]
)
def test_any_answer_can_be_read(model: token_model.TokenModel, answer: str) -> None:
    assert all(abs(risk.logit) < 1_000 for risk in model.risks("", CONTEXT, answer))


@pytest.mark.usefixtures("without_model")
def test_without_the_model_words_alone_decide_at_the_same_threshold() -> None:
    invented = (
        "Astronauts ship purple submarines to Lisbon within 3 weeks. Tickets cost 12 doubloons each. "
        "Captain Moreno sails from Genoa at 7:45 with 88 sheep. The brass band costs nothing extra."
    )
    right, wrong = score_answers(["", ""], [CONTEXT, CONTEXT], [CONTEXT, invented])
    assert right < THRESHOLD <= wrong


@pytest.mark.usefixtures("without_model")
def test_without_the_model_a_score_says_so_and_has_a_value(talk: Any) -> None:
    score = talk.one(
        [talk.turn("Repairs take 10 working days.", talk.search(talk.WARRANTY))], {"grounded": True}
    )
    assert score.value == 1.0
    assert score.evidence["model"] is None
    assert score.evidence["sentences"][0]["unsupported_probability"] is None


@pytest.mark.parametrize(
    "damage", ["model.onnx missing", "model.onnx torn", "calibration.json torn", "thesaurus.txt torn"]
)
def test_a_missing_or_damaged_model_is_one_warning_and_not_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    folder = tmp_path / "grounding_model"
    folder.mkdir()
    for name in ("checksums.json", "calibration.json", "model.onnx", "thesaurus.txt"):
        shutil.copy(FOLDER / name, folder)
    name, damage = damage.split()
    if damage == "torn":
        (folder / name).write_bytes(b"half")
    else:
        (folder / name).unlink()
    monkeypatch.setattr(token_model, "_folder", lambda: folder)
    token_model.loaded.cache_clear()
    try:
        with caplog.at_level(logging.WARNING):
            assert token_model.default() is None
            assert token_model.default() is None
        assert len(caplog.records) == 1
        assert "install the package again" in caplog.text and "Errno" not in caplog.text
        assert grounding.score_answers(["q"], [CONTEXT], [ANSWER])[0] < 1
    finally:
        token_model.loaded.cache_clear()


def test_the_name_of_the_model_is_known_before_it_is_loaded(model: token_model.TokenModel) -> None:
    assert token_model.named() == model.name


@pytest.mark.parametrize("missing", ["model.onnx", "checksums.json"])
def test_a_model_that_is_not_there_has_no_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    for name in {"checksums.json", "model.onnx"} - {missing}:
        shutil.copy(FOLDER / name, tmp_path)
    monkeypatch.setattr(token_model, "_folder", lambda: tmp_path)
    assert token_model.named.__wrapped__() is None


def test_checksums_that_are_torn_name_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(FOLDER / "model.onnx", tmp_path)
    (tmp_path / "checksums.json").write_text("{")
    monkeypatch.setattr(token_model, "_folder", lambda: tmp_path)
    assert token_model.named.__wrapped__() is None
