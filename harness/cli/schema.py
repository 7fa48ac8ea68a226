"""harness schema."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("schema")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def command(folder: Path) -> None:
    """Write the JSON Schemas of suite and assistant files into FOLDER, for editors.

    The options of installed scorers are in them. The first line of a suite file names its schema:
    # yaml-language-server: $schema=FOLDER/suite.schema.json

    \b
    Examples:
      harness schema schema
    """
    from harness.suite.plugins import schemas_of_options
    from harness.suite.schema import write_schemas

    for path in write_schemas(folder, schemas_of_options()):
        click.echo(path)
