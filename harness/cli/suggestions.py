"""What the shell offers when the Tab key is pressed: runs, trials, targets, kinds of variations.

A shell asks in the middle of a line. Whatever is wrong then (no store, a setting with a mistake) is told
when the line is run; here it only means that there is nothing to offer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, get_args

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from harness.settings import Settings

_NEWEST = 50


def runs(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The newest runs, each with its suites and what came of it."""
    from click.shell_completion import CompletionItem

    from harness import workflows
    from harness.errors import HarnessError

    found = [CompletionItem("latest", help="the newest run")]
    with suppress(HarnessError):
        for run in workflows.stored_runs(_settings(context), _NEWEST):
            outcomes = ", ".join(f"{count} {name}" for name, count in sorted(run.outcomes.items()))
            found.append(CompletionItem(run.id, help=f"{' '.join(run.suites)}: {outcomes}"))
    return [item for item in found if item.value.startswith(incomplete)]


def runs_and_files(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Runs, and files where none begins like that: assistants that have not been run yet."""
    from click.shell_completion import CompletionItem

    return runs(context, parameter, incomplete) or [CompletionItem(incomplete, type="file")]


def trials(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """The trials of a run: ``suite/conversation`` where that is one trial, else their ids."""
    from harness import workflows
    from harness.errors import HarnessError

    with suppress(HarnessError):
        run = workflows.stored_run(_settings(context), context.params.get("run_id") or "latest")
        named = [(f"{result.suite}/{result.conversation}", result.trial_id) for result in run.results]
        counts = Counter(name for name, _ in named)
        return _that_begin(incomplete, (name if counts[name] == 1 else trial for name, trial in named))
    return []


def targets(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Where assistants live, the targets of installed packages among them."""
    from harness.targets.making import names

    return _that_begin(incomplete, names())


def kinds(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Kinds of variations; after a comma the next one of the list."""
    from harness.suite.records import PerturbationKind

    before, comma, begun = incomplete.rpartition(",")
    known = (name for name in get_args(PerturbationKind) if name not in before.split(","))
    return [f"{before}{comma}{name}" for name in _that_begin(begun, known)]


def _settings(context: click.Context) -> Settings:
    from harness.settings import load_settings

    return load_settings({"store": context.params.get("store")})


def _that_begin(begun: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(begun)]
