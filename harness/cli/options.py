"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from harness.cli import suggestions

Decorate = Callable[[Callable[..., Any]], Callable[..., Any]]


def together(*decorators: Decorate) -> Decorate:
    """Options that commands take together, in the order in which ``--help`` lists them."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for each in reversed(decorators):
            function = each(function)
        return function

    return decorate


store = click.option(
    "--store",
    metavar="PATH|URL",
    help="Database of suite runs: a SQLite file or an SQLAlchemy URL. Default: .harness/store.sqlite",
)

run = click.argument("run", default="latest", shell_complete=suggestions.runs)
no_progress = click.option("--no-progress", is_flag=True, help="No live display, only the summary.")
PROGRESS_MODES = ("auto", "bar", "lines", "json", "off")
"""How a run can be shown while it goes on."""


job = together(
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
)
"""What decides which conversations run: suites, assistant, tags, ids."""


where = together(
    click.option(
        "--target",
        metavar="NAME",
        shell_complete=suggestions.targets,
        help="Where the assistant lives: embedded (default), assistants, responses, chat, function, "
        "recording.",
    ),
    click.option("--base-url", metavar="URL", help="Compatible API, e.g. http://127.0.0.1:8080/v1."),
    click.option("--azure-endpoint", metavar="URL", help="Resource of Azure, instead of --base-url."),
    click.option("--api-version", metavar="DATE", help="With --azure-endpoint: the version of its API."),
    click.option(
        "--target-function",
        metavar="NAME",
        help="With --target function: what is called, MODULE:FUNCTION or PATH.py:FUNCTION.",
    ),
    click.option("--record", metavar="FILE", help="Keep every answer in FILE, to answer from later."),
    click.option(
        "--replay",
        "recording",
        metavar="FILE",
        help="Answer from FILE instead of asking anyone: no request, no key.",
    ),
    click.option(
        "--models", metavar="FILE", help="YAML: which model answers to which name (embedded target)."
    ),
    click.option(
        "--faults", metavar="FILE", help="YAML: faults on demand, to try resilience (embedded target)."
    ),
    click.option(
        "--allow-unisolated-code",
        is_flag=True,
        default=None,
        help="Run code_interpreter's code without bubblewrap or user namespaces too: it then reaches "
        "your files.",
    ),
    click.option("--concurrency", type=click.IntRange(1), help="Trials at the same time. Default: 8."),
    click.option("--deadline", "deadline_s", type=float, metavar="SECONDS", help="Longest a turn may take."),
    click.option(
        "--keep-assistants",
        is_flag=True,
        default=None,
        help="Leave assistants and documents at the address: later runs work with what is unchanged.",
    ),
    click.option(
        "--keep-users",
        is_flag=True,
        default=None,
        help="Leave threads of users at the address: they come back to them in later runs.",
    ),
    click.option(
        "--requests-per-minute",
        type=click.IntRange(1),
        metavar="N",
        help="Most requests in any minute, all trials together.",
    ),
    click.option(
        "--tokens-per-minute",
        type=click.IntRange(1),
        metavar="N",
        help="Most tokens in any minute, all trials together.",
    ),
    click.option(
        "--max-tries", type=click.IntRange(1), metavar="N", help="Tries of one request. Default: 4."
    ),
    click.option(
        "--max-wait",
        "max_wait_s",
        type=float,
        metavar="SECONDS",
        help="Longest wait that the server may ask for before the next try. Default: 60.",
    ),
)
"""Where the assistant lives, what answers there, and how fast it is asked."""


reports = together(
    click.option(
        "--out", "reports", metavar="PATH", help="HTML report: a folder, or a file ending in .html."
    ),
    click.option("--junit", type=click.Path(), help="Write a JUnit XML file too."),
    click.option("--markdown", type=click.Path(), help="Write a Markdown summary too."),
    click.option("--code-quality", type=click.Path(), help="Write a code quality report for GitLab too."),
)
"""What is written of a run beside what the terminal shows."""


def replaying(flags: dict[str, Any]) -> dict[str, Any]:
    """The flags, where a file to replay stands for the target that answers from it."""
    if flags["recording"] is None:
        return flags
    if flags["target"] not in (None, "recording"):
        raise click.UsageError(f"--replay asks nobody, so --target {flags['target']} can't go with it.")
    return flags | {"target": "recording"}


judge = together(
    click.option("--judge-model", metavar="NAME", help="Chat model that judges where a rubric names none."),
    click.option(
        "--judge-base-url",
        metavar="URL",
        help="Chat completions API where judges are asked. Default: where the assistant lives.",
    ),
)
"""Which model judges, and where."""
