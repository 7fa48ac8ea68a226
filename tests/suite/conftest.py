"""A folder with a small assistant, its documents and its data, in which suites are written and loaded."""

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import SuiteError
from harness.suite.load import load_suite
from harness.suite.records import Suite

Write = Callable[..., Path]

ASSISTANT = """\
    name: Bot
    model: small-1
    instructions: Answer from the documents.
    tools:
      - type: file_search
      - type: code_interpreter
      - type: function
        function:
          name: open_ticket
          parameters:
            type: object
            properties:
              email: {type: string}
              priority: {type: string, enum: [low, high]}
              lines: {type: array}
      - type: function
        function: {name: close_ticket}
    knowledge: [documents/*.txt]
    escalation: {phrases: [A colleague will call you], tools: [open_ticket]}
    """


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes a file (dedented text, or bytes) below an empty working folder; gives its relative path."""
    monkeypatch.chdir(tmp_path)

    def write_file(name: str, content: str | bytes) -> Path:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        raw = content if isinstance(content, bytes) else textwrap.dedent(content).encode()
        path.write_bytes(raw)
        return path

    return write_file


@pytest.fixture
def place(write: Write) -> Write:
    """The same, in a folder that holds the assistant bot.yaml, two documents and a table."""
    write("bot.yaml", ASSISTANT)
    write("documents/guide.txt", "Press the button.")
    write("documents/prices.txt", "It costs 5 euros.")
    write("sales.csv", "month,revenue\n1,100\n")
    return write


@pytest.fixture
def load(place: Write) -> Callable[[str], Suite]:
    """The suite of a text."""
    return lambda text: load_suite(place("suite.yaml", text))


@pytest.fixture
def mistakes(place: Write) -> Callable[[str], list[str]]:
    """Every mistake in the text of a suite, rendered; the file is called s.yaml."""

    def found(text: str) -> list[str]:
        path = place("s.yaml", text)
        try:
            load_suite(path)
        except SuiteError as error:
            return [str(problem) for problem in error.problems]
        return []

    return found
