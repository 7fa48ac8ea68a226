"""harness server-info."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click


@click.command("server-info")
@click.option(
    "--models",
    type=click.Path(path_type=Path),
    envvar="HARNESS_MODELS",
    help="YAML: which model answers to which name.",
)
@click.option(
    "--state", type=click.Path(path_type=Path), envvar="HARNESS_STATE", help="Where state would be kept."
)
@click.option(
    "--allow-unisolated-code",
    is_flag=True,
    envvar="HARNESS_ALLOW_UNISOLATED_CODE",
    help="As harness serve would be started.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def command(models: Path | None, state: Path | None, allow_unisolated_code: bool, as_json: bool) -> None:
    """Say what this version's embedded server is and can do on this machine; nothing is started.

    \b
    Examples:
      harness server-info
      harness server-info --models models.yaml --json
    """
    import json

    facts = _facts(models, state, allow_unisolated_code)
    if as_json:
        click.echo(json.dumps(facts, indent=2, ensure_ascii=False))
        return
    click.echo("\n".join(_as_text(facts)))


def _as_text(facts: dict[str, Any]) -> Iterator[str]:
    yield f"harness {facts['version']}"
    yield "\nmodels"
    yield from (f"  {row['match']:20} {row['answers']}" for row in facts["models"])
    yield f"\ncode_interpreter\n  {facts['code_interpreter']}"
    yield f"\nfile_search\n  {facts['file_search']}"
    read = facts["documents"]
    yield f"  chunks of {read['chunk_tokens']} tokens, {read['overlap_tokens']} of overlap"
    yield f"  reads {' '.join(read['reads'])}"
    yield f"\nstate\n  {facts['state']}"
    yield "\nlimits"
    yield from (f"  {name:20} {value:,}" for name, value in facts["limits"].items())
    yield "\nroutes"
    yield from (f"  {route['method']:6} {route['path']}" for route in facts["routes"])


def _facts(models: Path | None, state: Path | None, allow_unisolated_code: bool) -> dict[str, Any]:
    """Everything there is to say, as plain JSON."""
    import harness
    from harness.embedding import encoder
    from harness.server.app import called_paths
    from harness.server.llms.models import ModelTable
    from harness.server.llms.table import described, read_models

    table = ModelTable() if models is None else read_models(models, os.environ)
    return {
        "version": harness.__version__,
        "models": [{"match": match, "answers": answers} for match, answers in described(table)],
        "code_interpreter": ": ".join(isolation(allow_unisolated_code)),
        "file_search": encoder.described(),
        "documents": _documents(),
        "state": "in memory: it ends with the process" if state is None else f"the file {state}",
        "limits": _limits(),
        "routes": [{"method": method, "path": f"/v1{path}"} for method, path in called_paths()],
    }


def isolation(allow_unisolated_code: bool) -> tuple[str, str]:
    """What happens to code here, ``isolated``, ``unisolated`` or ``refused``, and the same in words."""
    from harness.errors import HarnessError
    from harness.server.sandbox import APART, ISOLATIONS, Sandbox

    with Sandbox(isolations=ISOLATIONS if allow_unisolated_code else APART) as sandbox:
        try:
            told = sandbox.isolation
        except HarnessError as error:
            return "refused", f"{error.message}; {error.hint}"
    return ("isolated" if told.partition(":")[0] in APART else "unisolated"), told


def _documents() -> dict[str, Any]:
    from harness.server.reading.extract import SUPPORTED_TYPES
    from harness.server.search import DEFAULT_MAX_TOKENS, DEFAULT_OVERLAP_TOKENS

    return {
        "chunk_tokens": DEFAULT_MAX_TOKENS,
        "overlap_tokens": DEFAULT_OVERLAP_TOKENS,
        "reads": sorted(SUPPORTED_TYPES),
    }


def _limits() -> dict[str, float]:
    from harness.server.app import ServerOptions
    from harness.server.engine.states import RUN_S
    from harness.server.engine.workshop import LONGEST_IDLE_S, MOST_IDLE_SESSIONS
    from harness.server.http import HttpOptions
    from harness.server.sandbox import Limits

    server, http, code = ServerOptions(), HttpOptions(), Limits()
    return {
        "request_bytes": http.most_json_bytes,
        "upload_bytes": http.most_upload_bytes,
        "request_head_s": http.headers_s,
        "body_pause_s": http.body_pause_s,
        "shutdown_s": http.shutdown_s,
        "context_tokens": server.context_tokens,
        "runs_at_once": server.workers,
        "run_s": RUN_S,
        "code_wall_s": code.wall_s,
        "code_cpu_s": code.cpu_s,
        "code_memory_bytes": code.memory_bytes,
        "code_processes": code.processes,
        "code_disk_bytes": code.disk_bytes,
        "idle_interpreters": MOST_IDLE_SESSIONS,
        "idle_interpreter_s": LONGEST_IDLE_S,
    }
