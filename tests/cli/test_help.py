"""Help texts: what a new user reads first."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from harness.cli import cli

COMMANDS = cli.list_commands(None)  # type: ignore[arg-type]


def help_of(*command: str) -> str:
    return CliRunner().invoke(cli, [*command, "--help"], prog_name="harness").output


@pytest.mark.parametrize("command", COMMANDS)
def test_every_example_stands_on_a_line_of_its_own(command: str) -> None:
    text = help_of(command)
    lines = text.partition("Example")[2].splitlines()[1:]
    examples = lines[: lines.index("")]
    assert examples
    assert all(line.startswith("    ") for line in examples)
    assert any(f"harness {command}" in line for line in examples)
    assert "\\b" not in text


def test_the_first_help_shows_how_to_start_line_by_line() -> None:
    lines = [line.strip() for line in help_of().splitlines()]
    assert "Start here:" in lines
    assert any(line.startswith("harness init my-assistant ") for line in lines)
