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


def test_the_hosted_api_s_own_names_are_known_where_no_entry_has_to_fit(make_api: Any) -> None:
    names = ("gpt-4o", "gpt-3.5-turbo", "gpt-5.4-mini", "o3", "ft:gpt-4o:acme::x1", "text-embedding-3-small")
    api = make_api(models=ModelTable())
    assert [api.get(f"/models/{name}")["id"] for name in names] == list(names)
    strict = make_api(models=ModelTable([("mine", Scripted([]))], default=Scripted([])))
    for name, asked in [("gpt-2", api), ("mine", api), *((name, strict) for name in names)]:
        assert asked.refused("GET", f"/models/{name}")[0] == 404


def test_an_assistant_may_name_any_model(make_api: Any) -> None:
    api = make_api(["Hello."])
    assert api.run(api.thread("hi"), api.assistant(model="my/own-model")["id"])["status"] == "completed"
