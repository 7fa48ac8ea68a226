"""harness serve."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

if TYPE_CHECKING:
    from harness.server.http import HttpOptions

_FILE = click.Path(path_type=Path)
_MEGABYTE = 1024 * 1024
_MEGABYTES = click.FloatRange(min=0, min_open=True)


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="0: any free port."
)
@click.option(
    "--api-key",
    envvar="HARNESS_SERVER_API_KEY",
    show_envvar=True,
    help="Clients must send this key. Default: any key.",
)
@click.option(
    "--models", type=_FILE, envvar="HARNESS_MODELS", help="YAML: which model answers to which name."
)
@click.option("--faults", type=_FILE, envvar="HARNESS_FAULTS", help="YAML: faults on demand.")
@click.option(
    "--state", type=_FILE, envvar="HARNESS_STATE", help="Keep everything in this file. Default: in memory."
)
@click.option(
    "--allow-unisolated-code",
    is_flag=True,
    envvar="HARNESS_ALLOW_UNISOLATED_CODE",
    help="Run code_interpreter's code without bubblewrap or user namespaces too: it then reaches your files.",
)
@click.option("--log-format", type=click.Choice(["text", "json"]), help="Log every call to standard error.")
@click.option("--log-bodies", is_flag=True, help="Log request and answer bodies too: they hold messages.")
@click.option("--max-request-mb", type=_MEGABYTES, help="Largest JSON request. Default: 64.")
@click.option("--max-upload-mb", type=_MEGABYTES, help="Largest upload with its form. Default: 513.")
@click.option(
    "--require-beta-header",
    is_flag=True,
    help="Refuse calls of assistants and threads without OpenAI-Beta, as the hosted API did.",
)
@click.option(
    "--shutdown-s",
    type=click.IntRange(1, 3600),
    help="How long open requests may go on once the server is told to end. Default: 10.",
)
def command(
    host: str,
    port: int,
    api_key: str | None,
    models: Path | None,
    faults: Path | None,
    state: Path | None,
    allow_unisolated_code: bool,
    log_format: Literal["text", "json"] | None,
    log_bodies: bool,
    max_request_mb: float | None,
    max_upload_mb: float | None,
    require_beta_header: bool,
    shutdown_s: int | None,
) -> None:
    """Start the embedded Assistants API: no key and no network needed.

    Point any client at it with OPENAI_BASE_URL. Answers come from a deterministic extractive reference
    assistant, which quotes the uploaded documents and is not a language model; or, with --models, from
    any chat-completions endpoint.

    \b
    Examples:
      harness serve --port 8080 &
      OPENAI_BASE_URL=http://127.0.0.1:8080/v1 OPENAI_API_KEY=any python your_program.py
      harness serve --state assistants.db
      harness serve --models models.yaml --faults faults.yaml --log-format json
    """
    if not api_key and not _is_loopback(host):
        raise click.UsageError(f"--host {host} can be reached from other machines: give --api-key too.")
    if log_bodies and not log_format:
        raise click.UsageError("--log-bodies needs a log: give --log-format text or json too.")
    from msgspec.structs import replace

    from harness.server.app import App
    from harness.server.http import serve
    from harness.targets.making import server_options

    chosen = server_options(models, faults, allow_unisolated_code=allow_unisolated_code)
    app = App(replace(chosen, state=state))
    options = _http_options(log_format, log_bodies, max_request_mb, max_upload_mb)
    options = replace(options, require_beta_header=require_beta_header)
    if shutdown_s is not None:
        options = replace(options, shutdown_s=shutdown_s)
    warning = _isolation_warning(allow_unisolated_code)

    def on_ready(base_url: str) -> None:
        click.echo(f"serving on {base_url} (Ctrl-C stops)", err=True)
        if warning:
            click.echo(warning, err=True)

    # Ctrl-C is how a server is meant to end: open requests finish, and that is a success.
    try:
        with contextlib.suppress(KeyboardInterrupt):
            serve(app, host, port, api_key=api_key, on_ready=on_ready, options=options)
        _leave_what_hangs()
    except OSError as error:
        reason = error.strerror or error
        message = f"cannot listen on {host}, port {port}: {reason}. --port 0 takes any free port."
        raise click.UsageError(message) from error


def _leave_what_hangs() -> None:
    """End the process although a thread still waits, such as for a model that does not answer."""
    waiting = [each for each in threading.enumerate() if each is not threading.current_thread()]
    if any(not each.daemon for each in waiting):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def _isolation_warning(allow_unisolated_code: bool) -> str | None:
    """What happens to code where this machine cannot keep it apart; None where it can."""
    from harness.cli.server_info import isolation

    status, told = isolation(allow_unisolated_code)
    return None if status == "isolated" else f"warning: code_interpreter: {told}"


def _http_options(
    log_format: Literal["text", "json"] | None,
    log_bodies: bool,
    max_request_mb: float | None,
    max_upload_mb: float | None,
) -> HttpOptions:
    from msgspec.structs import replace

    from harness.server.access_log import AccessLog
    from harness.server.http import HttpOptions

    chosen = HttpOptions()
    if log_format is not None:
        log = AccessLog(log_format, lambda line: click.echo(line, err=True), bodies=log_bodies)
        chosen = replace(chosen, access_log=log)
    if max_request_mb is not None:
        chosen = replace(chosen, most_json_bytes=int(max_request_mb * _MEGABYTE))
    if max_upload_mb is not None:
        chosen = replace(chosen, most_upload_bytes=int(max_upload_mb * _MEGABYTE))
    return chosen


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
