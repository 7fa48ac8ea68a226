"""/models: what the table spells out; any other name may still be used."""

from __future__ import annotations

from typing import Any

from harness.server.llms.models import ModelTable
from harness.server.llms.scripted import Scripted


def test_only_names_in_the_table_are_models(make_api: Any) -> None:
    api = make_api(models=ModelTable([("gpt-5.4", Scripted([])), ("o*", Scripted([])), ("*", Scripted([]))]))
    assert [row["id"] for row in api.get("/models")["data"]] == ["gpt-5.4", "extractive"]
    assert api.get("/models/gpt-5.4")["object"] == "model"
    assert api.get("/models/o9")["id"] == "o9"
    for method in ("GET", "DELETE"):
        status, error = api.refused(method, "/models/gpt-2")
        assert status == 404
        assert error["message"] == "The model 'gpt-2' does not exist"
        assert (error["param"], error["code"]) == ("model", "model_not_found")
    assert api.refused("DELETE", "/models/gpt-5.4")[0] == 403


def test_an_assistant_may_name_any_model(make_api: Any) -> None:
    api = make_api(["Hello."])
    assert api.run(api.thread("hi"), api.assistant(model="my/own-model")["id"])["status"] == "completed"
