"""harness serve."""

from __future__ import annotations

import contextlib
import ipaddress

import click


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
def command(host: str, port: int, api_key: str | None) -> None:
    """Start the embedded Assistants API: no key and no network needed, state in memory.

    Point any client at it with OPENAI_BASE_URL. Answers come from a deterministic extractive reference
    assistant, which quotes the uploaded documents; it is not a language model.

    \b
    Example:
      harness serve --port 8080 &
      OPENAI_BASE_URL=http://127.0.0.1:8080/v1 OPENAI_API_KEY=any python your_program.py
    """
    if not api_key and not _is_loopback(host):
        raise click.UsageError(f"--host {host} can be reached from other machines: give --api-key too.")
    from harness.server.app import App, ServerOptions
    from harness.server.http import serve

    def on_ready(base_url: str) -> None:
        click.echo(f"serving on {base_url} (Ctrl-C stops)", err=True)

    # Ctrl-C is how a server is meant to end: open requests finish, and that is a success.
    try:
        with contextlib.suppress(KeyboardInterrupt):
            serve(App(ServerOptions()), host, port, api_key=api_key, on_ready=on_ready)
    except OSError as error:
        reason = error.strerror or error
        message = f"cannot listen on {host}, port {port}: {reason}. --port 0 takes any free port."
        raise click.UsageError(message) from error


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
