"""harness init."""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import click


@click.command("init")
@click.argument("folder", type=click.Path(path_type=Path), default=".")
def command(folder: Path) -> None:
    """Make a first suite, assistant and document in FOLDER (default: here); nothing is overwritten.

    \b
    Example:
      harness init my-assistant
      harness run my-assistant/suite.yaml
    """
    files = dict(_starter(resources.files("harness.suite").joinpath("starter"), folder))
    taken = [str(path) for path in files if path.exists()]
    if taken:
        raise click.UsageError(f"already there, and not overwritten: {', '.join(taken)}")
    for path, content in files.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        except OSError as error:
            raise click.UsageError(f"cannot write {str(path)!r}: {error.strerror or error}") from error
        click.echo(f"wrote {path}")
    click.echo(f"try it: harness run {folder / 'suite.yaml'}")


def _starter(source: Traversable, target: Path) -> list[tuple[Path, bytes]]:
    found: list[tuple[Path, bytes]] = []
    for each in sorted(source.iterdir(), key=lambda entry: entry.name):
        path = target / each.name
        found += _starter(each, path) if each.is_dir() else [(path, each.read_bytes())]
    return found
