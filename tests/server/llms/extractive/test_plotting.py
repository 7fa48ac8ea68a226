"""Questions about tabular files: the generated code is run, its figures compared with a count by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.server.llms.extractive.plotting import wants_analysis
from harness.server.llms.extractive.tables import table_of
from harness.server.llms.interface import FileInfo

ROWS = [
    ("2024-11-03", "Oslo", "Tea", 5, 50.0),
    ("2024-12-10", "Rome", "Tea", 2, 20.0),
    ("2025-01-15", "Oslo", "Coffee", 4, 120.0),
    ("2025-01-20", "Rome", "Coffee", 1, 30.0),
    ("2025-02-11", "Oslo", "Tea", 7, 70.0),
    ("2025-02-28", "Rome", "Tea", 9, 90.0),
]
INSTRUCTIONS = "You help the owners of a tea shop with questions about their sales."
TOOLS = [{"type": "code_interpreter"}, {"type": "file_search"}]


@pytest.fixture
def sales(tmp_path: Path) -> FileInfo:
    lines = ["day,city,product,units,revenue_eur", *(",".join(map(str, row)) for row in ROWS)]
    path = tmp_path / "shop sales.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return FileInfo("file-1", path.name, str(path), path.read_text(encoding="utf-8")[:2000])


@pytest.fixture
def analyst(business, sales):
    return business(INSTRUCTIONS, {"a.md": "Exports are made under Settings."}, TOOLS, [sales])


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What is the total revenue?", "Total revenue in EUR: 380."),
        ("Which city had the highest revenue in 2025?", "for 2025 is Oslo with 190."),
        ("Which product sold the fewest units?", "is Coffee with 5."),
        ("Total units per product", "Tea 23; Coffee 5."),
        ("What is the average revenue per city?", "Oslo 80; Rome 46.67."),
        ("How much revenue did Rome make in February 2025?", ": 90."),
        ("How many rows does the file have?", "Number of rows: 6."),
        ("Which month had the highest revenue?", "is 2025-02 with 160."),
        ("What was the revenue of Lima in 1999 by city?", "There are no rows"),
        ("Summarise this file", "shop sales.csv has 6 rows and 5 columns"),
    ],
)
def test_figures_are_computed_and_quoted(analyst, question, expected):
    answer = analyst.say(question)
    assert expected in answer
    assert [name for name, _ in analyst.calls] == ["code_interpreter"]
    assert "I have made the chart" not in answer


@pytest.mark.parametrize(
    "question",
    [
        "Analyze this sales data and create a chart of monthly revenue trend.",
        "Plot units by product",
        "Show me a pie chart of revenue by city",
        "Draw a histogram of units",
        "Line chart of revenue by month and city please, show it",
    ],
)
def test_a_chart_is_drawn_when_asked_for(analyst, question):
    assert "I have made the chart for you." in analyst.say(question)


def test_a_follow_up_keeps_the_question_and_changes_the_filter(analyst):
    assert "Oslo" in analyst.say("Show the monthly revenue trend for Oslo as a chart")
    answer = analyst.say("And for Rome?")
    assert "for Rome" in answer
    assert "Oslo" not in answer


@pytest.mark.parametrize(
    "question",
    ["How do I create a chart?", "Where are exports made?", "How many users can I invite?", "Thanks!"],
)
def test_questions_about_the_product_are_no_analysis(sales, question):
    assert not wants_analysis(question, [sales])


def test_semicolons_decimal_commas_and_odd_names_are_read(business, tmp_path):
    path = tmp_path / "it's.csv"
    path.write_text(
        "Date;Shop's name;Net amount\n2025-01-02;O'Hara;1.234,50\n2025-01-03;Köln;99,00\n", encoding="utf-8"
    )
    file = FileInfo("f", path.name, str(path), path.read_text(encoding="utf-8"))
    talk = business(INSTRUCTIONS, {}, TOOLS, [file])
    assert "1,333.50" in talk.say("What is the total net amount in 2025?")


def test_a_table_without_a_readable_head_is_looked_at_first(business, tmp_path):
    path = tmp_path / "data.json"
    path.write_text('[{"month": "2025-01", "sales": 4}, {"month": "2025-02", "sales": 6}]', encoding="utf-8")
    talk = business(INSTRUCTIONS, {}, TOOLS, [FileInfo("f", path.name, str(path))])
    assert "10" in talk.say("Plot the monthly sales trend of this data")
    assert len(talk.calls) == 2


def test_code_that_fails_is_admitted(business, tmp_path):
    file = FileInfo("f", "gone.csv", str(tmp_path / "gone.csv"), "month,sales\n2025-01,4\n")
    talk = business(INSTRUCTIONS, {}, TOOLS, [file])
    answer = talk.say("Plot the monthly sales trend")
    assert "could not analyse the data" in answer
    assert "FileNotFoundError" in answer


def test_without_a_file_one_is_asked_for(business):
    talk = business(INSTRUCTIONS, {}, TOOLS)
    assert "attach" in talk.say("Please analyze this data file and plot it")


def test_columns_are_told_apart_by_their_values(sales):
    table = table_of(sales)
    assert table.dated == "day"
    assert table.numeric == ("units", "revenue_eur")
    assert table.categories == ("city", "product")


def test_months_without_a_year_keep_their_names_and_their_order(business, tmp_path):
    path = tmp_path / "m.csv"
    text = "month,region,sales\nJan,N,10\nFeb,N,20\nApr,S,40\nMar,N,5\n"
    path.write_text(text, encoding="utf-8")
    talk = business(INSTRUCTIONS, {}, TOOLS, [FileInfo("f", "m.csv", str(path), text)])
    answer = talk.say("Plot the monthly sales trend of this data")
    assert "from 10 in Jan to 40 in Apr" in answer
    assert "is Apr with 40" in talk.say("Which month had the highest sales?")
    assert "0001" not in answer
