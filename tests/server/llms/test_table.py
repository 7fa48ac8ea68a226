"""Model tables: who answers to which name, and files with mistakes."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest

from harness.errors import SettingsError
from harness.server.llms.extractive import Extractive
from harness.server.llms.remote import Remote
from harness.server.llms.table import described, read_models

TABLE = """\
    models:
      - match: gpt-5.4-mini
        remote: {base_url: "http://127.0.0.1:8000/v1", model: small, api_key_env: GATE_KEY, timeout_s: 9}
      - match: "gpt-*"
        remote:
          base_url: http://127.0.0.1:8000/v1
          token_limit: max_tokens
          omit: [top_p, reasoning_effort]
      - match: "offline-*"
        extractive: true
    """


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)

    def write(text: str) -> Path:
        Path("models.yaml").write_text(textwrap.dedent(text), "utf-8")
        return Path("models.yaml")

    return write


def mistakes(path: Path, **environment: str) -> str:
    with pytest.raises(SettingsError) as caught:
        read_models(path, environment)
    assert caught.value.code == "models-invalid"
    return str(caught.value)


def test_the_first_entry_that_fits_answers(write: Any) -> None:
    table = read_models(write(TABLE), {"GATE_KEY": "sk-secret"})
    small, big = table.find("gpt-5.4-mini"), table.find("gpt-5.4")
    assert isinstance(small, Remote) and small.dialect.model == "small"
    assert isinstance(big, Remote) and big.dialect.model is None
    assert (big.dialect.limit_field, big.dialect.omit) == ("max_tokens", ("top_p", "reasoning_effort"))
    assert isinstance(table.find("offline-1"), Extractive)
    assert table.names() == ["gpt-5.4-mini"]


def test_a_scripted_entry_says_its_lines_over_and_over(write: Any, make_api: Any) -> None:
    api = make_api(models=read_models(write("models: [{match: '*', scripted: [one, two]}]"), {}))
    assistant = api.assistant(model="anything")["id"]
    threads = [api.thread("hi") for _ in range(3)]
    for thread in threads:
        api.run(thread, assistant)
    said = [api.answer(thread)["content"][0]["text"]["value"] for thread in threads]
    assert said == ["one", "two", "one"]


def test_a_table_in_words_has_no_keys(write: Any) -> None:
    rows = described(read_models(write(TABLE), {"GATE_KEY": "sk-secret"}))
    assert rows == [
        ("gpt-5.4-mini", "remote: small at http://127.0.0.1:8000/v1"),
        ("gpt-*", "remote: the same name at http://127.0.0.1:8000/v1"),
        ("offline-*", "extractive"),
    ]


def test_a_name_that_fits_no_entry_fails_its_run_and_names_the_entries(write: Any, make_api: Any) -> None:
    api = make_api(models=read_models(write(TABLE), {"GATE_KEY": "x"}))
    run = api.run(api.thread("hi"), api.assistant(model="claude")["id"])
    assert (run["status"], run["last_error"]["code"]) == ("failed", "server_error")
    assert "No entry of models.yaml fits the model 'claude'" in run["last_error"]["message"]
    assert "'offline-*'" in run["last_error"]["message"]


def test_every_mistake_is_named_with_its_place_and_the_nearest_word(write: Any) -> None:
    said = mistakes(
        write(
            """\
            models:
              - match: "gpt-*"
                remot: {base_url: "http://127.0.0.1/v1"}
              - match: a
                remote: {base_url: "http://127.0.0.1/v1", timeout: 3, api_key: sk-secret}
              - remote: {model: x}
            """
        )
    )
    assert "5 mistakes found" in said
    assert (
        "models.yaml:3:5: unknown key 'remot' in an entry of models\n    hint: did you mean 'remote'?" in said
    )
    assert "unknown key 'timeout'" in said and "did you mean 'timeout_s'?" in said
    assert "unknown key 'api_key'" in said and "did you mean 'api_key_env'?" in said
    assert "models.yaml:6:5: an entry of models has no 'match'" in said
    assert "models.yaml:6:13: remote has no 'base_url'" in said
    assert "sk-secret" not in said


def test_what_only_the_whole_table_shows_is_found_too(write: Any) -> None:
    said = mistakes(
        write(
            """\
            models:
              - {match: a, extractive: false}
              - {match: "*", extractive: true}
              - {match: b, extractive: true, remote: {base_url: "http://127.0.0.1/v1"}}
              - {match: c}
              - {match: d, remote: {base_url: "localhost:8000", api_key_env: NO_SUCH_KEY}}
            """
        )
    )
    assert "models.yaml:2:28: extractive: false says nothing" in said
    assert "models.yaml:4:13: no name ever gets to 'b': the entry '*' stands before it" in said
    assert said.count("must have exactly one of remote, extractive and scripted") == 2
    assert "not 'localhost:8000'" in said
    assert "the environment variable 'NO_SUCH_KEY' is not set" in said


@pytest.mark.parametrize(
    "entry",
    [
        'base_url: "https://me:sk-secret@example.com/v1"',
        'base_url: "http://127.0.0.1/v1", api_key_env: sk-secret',
    ],
)
def test_a_key_that_stands_in_the_file_is_refused_and_not_repeated(write: Any, entry: str) -> None:
    said = mistakes(write(f"models: [{{match: a, remote: {{{entry}}}}}]"))
    assert "keys stand in the environment" in said
    assert "secret" not in said


@pytest.mark.parametrize("address", ["", "http://", "ftp://127.0.0.1", "http://[::1", "http://h:99999", "x"])
def test_a_base_url_must_be_an_address(write: Any, address: str) -> None:
    said = mistakes(write(f'models: [{{match: a, remote: {{base_url: "{address}"}}}}]'))
    assert "base_url must be an address" in said


def test_an_empty_table_answers_nobody_and_is_a_mistake(write: Any) -> None:
    assert "models must have at least 1 entry" in mistakes(write("models: []"))
