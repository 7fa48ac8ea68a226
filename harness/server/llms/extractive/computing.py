"""Steps of the reference assistant that compute something from data."""

from __future__ import annotations

from harness.server.llms.extractive import plotting, sums, tables
from harness.server.llms.extractive.analysis_code import analysis_code, looking_code
from harness.server.llms.extractive.requesting import tool_requests
from harness.server.llms.extractive.scene import Scene, message
from harness.server.llms.extractive.talk import context_of
from harness.server.llms.interface import ModelReply
from harness.text import content_stems


def data_step(scene: Scene) -> ModelReply | None:
    """Code for a question about data or about sums; None where it is about neither."""
    if "code_interpreter" not in scene.hosted or scene.situation.trouble:
        return None
    sum_asked_for = None if scene.policy.redirects else sums.code_for(scene.subject)
    if sum_asked_for is not None:
        return _code(scene, sum_asked_for)
    if not plotting.wants_analysis(_data_question(scene)[0], scene.request.files):
        return None
    if not any(tables.is_tabular(file) for file in scene.request.files):
        return message(
            scene, "Please attach the data as a CSV, Excel or JSON file, and I will analyse it for you."
        )
    return run_code(scene)


def _data_question(scene: Scene) -> tuple[str, str]:
    """The question to compute, and an earlier one whose filters hold on, when this one only varies it."""
    context = context_of(scene.talk)
    if not context or (
        plotting.wants_analysis(scene.subject, scene.request.files) and len(content_stems(scene.subject)) > 3
    ):
        return scene.subject, ""
    latest = context.split("\n")[0]
    if plotting.wants_analysis(latest, scene.request.files):
        return f"{scene.subject} ({latest})", latest
    return scene.subject, ""


def run_code(scene: Scene, head: str | None = None) -> ModelReply:
    """Code that answers the question from its file, whose ``head`` earlier code may have printed."""
    question, before = _data_question(scene)
    file = plotting.chosen_file(question, scene.request.files)
    if file is None:
        return _code(scene, sums.code_for(scene.subject) or _NOTHING_TO_WORK_ON)
    table = tables.table_of(file, head)
    if not table.columns:
        return _code(scene, looking_code(file, before or question))
    plan = plotting.plan(question, table)
    filters = scene.subject if before else question
    return _code(scene, analysis_code(filters, table, plan, before=before))


def _code(scene: Scene, source: str) -> ModelReply:
    return tool_requests(scene, [("code_interpreter", "code_interpreter", {"input": source})])


_NOTHING_TO_WORK_ON = "print('There is no data file to work on.')\n"
