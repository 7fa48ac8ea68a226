"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

store = click.option(
    "--store",
    metavar="PATH|URL",
    help="Database of suite runs: a SQLite file or an SQLAlchemy URL. Default: .harness/store.sqlite",
)


def job(function: Callable[..., Any]) -> Callable[..., Any]:
    """What decides which conversations run: suites, assistant, tags, ids."""
    decorators = [
        click.argument("suites", nargs=-1, type=click.Path()),
        click.option(
            "--assistant",
            "assistants",
            multiple=True,
            metavar="FILE|FILE@REVISION|ID",
            help="Run this assistant file, the file at this git revision, or this existing asst_... id, "
            "instead of the suites' own. Repeatable: every conversation is run with each.",
        ),
        click.option("--tag", "tags", multiple=True, help="Only conversations with this tag. Repeatable."),
        click.option(
            "--only",
            "ids",
            multiple=True,
            metavar="PATTERN",
            help="Only conversations whose id matches, e.g. 'export-*'. Repeatable.",
        ),
    ]
    for decorate in reversed(decorators):
        function = decorate(function)
    return function
