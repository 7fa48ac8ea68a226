"""Workbooks of several sheets, from the upload to the answer, through the API and a real interpreter."""

from __future__ import annotations

import io
from typing import Any

import openpyxl
import pytest

from harness.server.app import App, Request, ServerOptions, Upload
from harness.server.llms.models import ModelTable, extractive

SHEETS: dict[str, list[list[Any]]] = {
    "North": [["month", "revenue", "units"], ["2025-01", 100, 5], ["2025-02", 300, 9]],
    "South": [["month", "revenue", "units"], ["2025-01", 50, 2], ["2025-02", 70, 3]],
    "Staff": [["name", "salary"], ["Kim", 3000], ["Lee", 4000], ["Max", 5000]],
    "Empty": [],
}


def workbook() -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in SHEETS.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


class Analyst:
    """An assistant with a workbook, and its thread."""

    def __init__(self, app: App) -> None:
        self.app = app
        upload = Upload("shop.xlsx", workbook(), {"purpose": "assistants"})
        file = self._body(app.handle(Request("POST", "/files", upload=upload)))["id"]
        given = {
            "model": "gpt-5.4",
            "instructions": "You help the owners of a shop with their figures.",
            "tools": [{"type": "code_interpreter"}],
            "tool_resources": {"code_interpreter": {"file_ids": [file]}},
        }
        self.assistant = self.post("/assistants", given)["id"]
        self.thread = self.post("/threads", {})["id"]

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return self._body(self.app.handle(Request("POST", path, body)))

    def get(self, path: str) -> dict[str, Any]:
        return self._body(self.app.handle(Request("GET", path)))

    def ask(self, question: str) -> list[dict[str, Any]]:
        """The parts of the answer."""
        path = f"/threads/{self.thread}"
        self.post(f"{path}/messages", {"role": "user", "content": question})
        run = self.post(f"{path}/runs", {"assistant_id": self.assistant})
        assert self.get(f"{path}/runs/{run['id']}")["status"] == "completed"
        return self.get(f"{path}/messages")["data"][0]["content"]

    @staticmethod
    def _body(reply: Any) -> dict[str, Any]:
        assert reply.status == 200, reply.body
        return reply.body


@pytest.fixture(scope="module")
def app() -> Any:
    options = ServerOptions(
        models=ModelTable(default=extractive()), eager=True, seed=3, allow_unisolated_code=True
    )
    with App(options) as app:
        yield app


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What is the total revenue in the file?", ["520", "about North and South"]),
        ("What is the total revenue in the sheet North?", ["400", "about North."]),
        ("What is the average salary in this file?", ["4,000", "about Staff."]),
        ("Summarise this workbook file.", ["3 sheets (North, South, Staff)"]),
    ],
)
def test_the_sheet_that_a_question_names_or_is_about_is_read(
    app: App, question: str, expected: list[str]
) -> None:
    [text] = Analyst(app).ask(question)
    for part in expected:
        assert part in text["text"]["value"]


def test_a_chart_over_sheets_with_the_same_columns_is_drawn_and_can_be_downloaded(app: App) -> None:
    analyst = Analyst(app)
    image, text = analyst.ask("Analyze this data and create a chart of the monthly revenue trend.")
    assert "I have made the chart for you." in text["text"]["value"]
    content = app.handle(Request("GET", f"/files/{image['image_file']['file_id']}/content")).content
    assert content is not None
    assert content.startswith(b"\x89PNG")
