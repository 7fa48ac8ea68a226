import io

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.server.reading.extract import extract


def presentation(build):
    import pptx

    made = pptx.Presentation()
    build(made)
    content = io.BytesIO()
    made.save(content)
    return content.getvalue()


def slide(made, layout, title="", body=""):
    added = made.slides.add_slide(made.slide_layouts[layout])
    if title:
        added.shapes.title.text = title
    if body:
        added.placeholders[1].text = body
    return added


def pages_of(build):
    return [(page.number, page.text) for page in extract("talk.pptx", presentation(build)).pages]


def test_a_slide_is_a_page_with_its_title_its_points_and_the_speakers_notes():
    def build(made):
        first = slide(made, 1, "Refunds", "Within 5 days\nBy card only")
        first.notes_slide.notes_text_frame.text = "Say that banks take longer."
        slide(made, 1, "Prices", "49 EUR")

    assert pages_of(build) == [
        (1, "# Refunds\n\n- Within 5 days\n- By card only\n\nNotes: Say that banks take longer."),
        (2, "# Prices\n\n49 EUR"),
    ]


def test_tables_groups_and_charts_of_a_slide_are_read():
    from pptx.chart.data import CategoryChartData
    from pptx.enum.chart import XL_CHART_TYPE
    from pptx.util import Inches

    def build(made):
        shapes = slide(made, 5, "Plans").shapes
        table = shapes.add_table(2, 2, 0, 0, Inches(2), Inches(1)).table
        for cell, text in zip(table.iter_cells(), ["Plan", "Price", "Team", "49\nEUR"], strict=True):
            cell.text = text
        box = shapes.add_group_shape().shapes.add_group_shape().shapes.add_textbox(0, 0, 9, 9)
        box.text_frame.text = "In a group"
        data = CategoryChartData()
        data.categories = ["2023", "2024"]
        data.add_series("Revenue", (1.5, 2.5))
        shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, 0, 0, Inches(2), Inches(2), data)

    assert pages_of(build) == [
        (1, "# Plans\n\nPlan | Price\nTeam | 49 EUR\n\nIn a group\n\nRevenue\n2023 | 1.5\n2024 | 2.5")
    ]


def test_merged_cells_are_written_once_across_and_repeated_down():
    from pptx.util import Inches

    def build(made):
        table = slide(made, 6).shapes.add_table(2, 3, 0, 0, Inches(2), Inches(1)).table
        for place, cell in enumerate(table.iter_cells()):
            cell.text = str(place)
        table.cell(0, 0).merge(table.cell(1, 0))
        table.cell(0, 1).merge(table.cell(0, 2))

    text = pages_of(build)[0][1]
    first, second = text.split("\n")
    assert first.split(" | ")[0] == second.split(" | ")[0]
    assert [len(row.split(" | ")) for row in (first, second)] == [2, 3]


def test_a_presentation_is_known_by_its_content():
    content = presentation(lambda made: slide(made, 0, "Hello"))
    for name in ("talk.docx", "talk.pdf", "talk.txt", "talk"):
        assert extract(name, content).text == "# Hello"


WORDS = st.text(st.characters(codec="utf-8", categories=("L", "N")), min_size=1, max_size=12)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(WORDS, st.lists(WORDS, min_size=1, max_size=4)), min_size=1, max_size=4))
def test_every_word_of_a_generated_presentation_comes_out_on_its_slide(slides):
    def build(made):
        for title, points in slides:
            slide(made, 1, title, "\n".join(points))

    for (number, text), (title, points) in zip(pages_of(build), slides, strict=True):
        assert number is not None
        assert text.split("\n")[0] == f"# {title}"
        marked = points if len(points) == 1 else [f"- {point}" for point in points]
        assert text.split("\n")[2:] == marked
