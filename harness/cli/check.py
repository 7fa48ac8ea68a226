"""harness check."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from harness.cli import options

if TYPE_CHECKING:
    from harness.plan import Extent


@click.command("check")
@options.job
def command(
    suites: tuple[str, ...], assistants: tuple[str, ...], tags: tuple[str, ...], ids: tuple[str, ...]
) -> None:
    """Check SUITES (files or folders; default: suites/) without running or paying for anything.

    Every mistake of every file is reported at once as file:line:column, with what is allowed there. So is a
    quarantine that is over: harness run says so too, and goes on.

    \b
    Examples:
      harness check suites/acme/knowledge.yaml
      harness check --assistant fixtures/assistants/acme_support.yaml
      harness check --assistant fixtures/assistants/acme_support.yaml@main
    """
    from harness import workflows
    from harness.errors import SuiteError
    from harness.settings import load_settings
    from harness.text import counted

    job = workflows.Job(suites, load_settings({}), assistants, tags, ids)
    plan = workflows.plan_of(job, loaded := workflows.load(job))
    if expired := [problem for suite in loaded for problem in suite.expired]:
        raise SuiteError(expired)
    conversations = sum(len(suite.conversations) for suite in loaded)
    click.echo(
        f"no mistakes in {counted(len(loaded), 'suite')} with {counted(conversations, 'conversation')}: "
        f"{counted(len(plan.trials), 'trial')}, {_turns(plan.extent())}"
    )


def _turns(extent: Extent) -> str:
    """How many turns there will be; those of Python conversations are known when they are played."""
    from harness.text import counted

    told, by_functions = counted(extent.turns, "turn"), extent.played_by_functions
    return f"{told} and those of {counted(by_functions, 'Python trial')}" if by_functions else told
