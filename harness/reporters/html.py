"""One self-contained HTML file: the summary as text, every transcript with its evidence drawn on demand.

The page asks the network for nothing, and its content security policy forbids it to. What assistants and
documents say reaches it as autoescaped text or as packed data that the script shows with ``textContent``.
"""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from harness.reporters import handovers, wording
from harness.reporters.page import page_data
from harness.reporters.summary import Summary
from harness.results import SuiteRun

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).with_name("templates")

_NOT_PASSED_SHOWN = 200  # without script; with it there are all of them
_TAGS_SHOWN = 60


class HtmlReporter:
    """The page for people."""

    suffix = ".html"

    def render(self, run: SuiteRun) -> str:
        """The page as one text."""
        script = (TEMPLATES / "report.js").read_text(encoding="utf-8")
        style = (TEMPLATES / "report.css").read_text(encoding="utf-8")
        summary = Summary(run)
        data = page_data(summary)  # first: it reads the results, and they are counted on the way
        return (
            _environment()
            .get_template("report.html")
            .render(
                summary=summary,
                run=run,
                data=data,
                script=script,
                style=style,
                policy=_policy(script, style),
                not_passed=summary.not_passed[:_NOT_PASSED_SHOWN],
                tags=summary.tags[:_TAGS_SHOWN],
            )
        )


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    from harness.reporters.compiled import CompiledTemplates

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        bytecode_cache=CompiledTemplates(TEMPLATES, Path(__file__)),
    )
    for name in (
        "cost",
        "judge_cost",
        "short_cost",
        "tokens",
        "seconds",
        "waited",
        "percent",
        "at",
        "counted",
        "one_line",
        "status",
        "budget",
        "replayed",
        "quarantine",
    ):
        environment.filters[name] = getattr(wording, name)
    for name in ("between", "certainty", "noted", "points"):
        environment.filters[name] = getattr(handovers, name)
    environment.filters["error_rows"] = handovers.rows
    environment.filters["json"] = lambda value: json.dumps(value, ensure_ascii=False, default=str)
    return environment


def _policy(script: str, style: str) -> str:
    """Only our own script and style, images only from inside the page, no network at all."""
    return (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _digest(content: str) -> str:
    digest = hashlib.sha256(content.encode()).digest()
    return "sha256-" + base64.b64encode(digest).decode("ascii")
