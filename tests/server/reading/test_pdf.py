import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.server.reading import Unreadable
from harness.server.reading.extract import extract
from harness.text import sentences

PROSE = (
    "The export of a dashboard starts in the settings and takes about ten minutes for a large workspace. "
    "The link to the file is valid for 24 hours, and after that time the export has to be started again. "
    "Owners and editors can always export, viewers only when an administrator has allowed it before."
)
DOCUMENTS = Path(__file__).parents[3] / "fixtures" / "documents"


def pdf(*flowables, footer="", **options):
    from reportlab.platypus import SimpleDocTemplate

    def draw_footer(canvas, template):
        canvas.drawString(72, 40, footer.format(page=canvas.getPageNumber()))

    content = io.BytesIO()
    document = SimpleDocTemplate(content, **options)
    document.build(list(flowables), onFirstPage=draw_footer, onLaterPages=draw_footer)
    return content.getvalue()


def paragraph(text, style="BodyText", **changes):
    from reportlab.lib.styles import ParagraphStyle, getSampleStyleSheet
    from reportlab.platypus import Paragraph

    return Paragraph(text, ParagraphStyle("changed", getSampleStyleSheet()[style], **changes))


def pages(count, text=PROSE):
    from reportlab.platypus import PageBreak

    parts = [(paragraph(f"Part {number}. {text}"), PageBreak()) for number in range(count)]
    return [flowable for part in parts for flowable in part]


def refusal(content, name="file.pdf"):
    with pytest.raises(Unreadable) as caught:
        extract(name, content)
    return caught.value


@pytest.mark.parametrize("width", [200, 330, 470])
@pytest.mark.parametrize("alignment", [0, 4], ids=["ragged", "justified"])
def test_wrapped_prose_comes_back_as_one_paragraph(width, alignment):
    content = pdf(paragraph(PROSE, alignment=alignment), pagesize=(width + 144, 800))
    assert extract("a.pdf", content).text == PROSE


def test_paragraphs_and_headings_stay_apart():
    content = pdf(
        paragraph("Exports", "Heading1"), paragraph(PROSE), paragraph("Limits", "Heading2"), paragraph(PROSE)
    )
    assert extract("a.pdf", content).text == f"Exports\n\n{PROSE}\n\nLimits\n\n{PROSE}"


def test_list_items_keep_their_lines_and_their_wrapped_ones_are_whole():
    from reportlab.platypus import ListFlowable

    steps = [paragraph(f"Step {name}: {PROSE}") for name in ("one", "two")]
    text = extract("a.pdf", pdf(ListFlowable(steps, bulletType="1", bulletFormat="%s."))).text
    assert [line for line in text.split("\n") if line] == [f"1. Step one: {PROSE}", f"2. Step two: {PROSE}"]


def test_table_rows_stay_rows_and_cells_stay_cells():
    from reportlab.platypus import Table

    rows = [
        ["Plan", "Price", "Members"],
        ["Team", "49 EUR per month", "20"],
        ["Business", "129 EUR per month", "100"],
    ]
    text = extract("a.pdf", pdf(paragraph(PROSE), Table(rows, colWidths=150))).text
    assert text == PROSE + "\n\n" + "\n".join(" | ".join(row) for row in rows)


def test_code_keeps_its_lines():
    from reportlab.lib.styles import getSampleStyleSheet
    from reportlab.platypus import Preformatted

    code = Preformatted('{\n"name": "Sales",\n"limit": 5\n}', getSampleStyleSheet()["Code"])
    assert (
        extract("a.pdf", pdf(paragraph(PROSE), code)).text == PROSE + '\n\n{\n"name": "Sales",\n"limit": 5\n}'
    )


def test_a_word_hyphenated_at_the_end_of_a_line_is_made_whole():
    lines = [
        "The answer is sent after the down-",
        "grade, and a well-known read-",
        "only mode follows the down-",
        "grade.",
    ]
    lines.insert(0, "A downgrade makes a read-only workspace of it, as is well known.")
    content = pdf(paragraph("<br/>".join(lines), allowOrphans=1), pagesize=(480, 800))
    text = extract("a.pdf", content).text
    assert "after the downgrade, and a well-known read-only mode follows the downgrade." in " ".join(
        text.split("\n")
    )


@pytest.mark.parametrize(
    "footer", ["Manual - page {page}", "{page}", "Page {page} of 5", "ACME CONFIDENTIAL"]
)
def test_running_footers_are_left_out(footer):
    document = extract("a.pdf", pdf(*pages(5), footer=footer))
    assert [page.text for page in document.pages] == [f"Part {number}. {PROSE}" for number in range(5)]
    assert [page.number for page in document.pages] == [1, 2, 3, 4, 5]


def test_headings_that_begin_pages_are_no_running_headers():
    from reportlab.platypus import PageBreak

    flowables = [
        f for n in ("One", "Two", "Three") for f in (paragraph(n, "Heading1"), paragraph(PROSE), PageBreak())
    ]
    assert [page.text.split("\n")[0] for page in extract("a.pdf", pdf(*flowables)).pages] == [
        "One",
        "Two",
        "Three",
    ]


def test_a_pdf_with_another_name_is_still_read_as_a_pdf():
    assert extract("notes.txt", pdf(paragraph("Hello there."))).pages[0].number == 1


def test_an_encrypted_pdf_is_refused_and_says_what_to_do():
    error = refusal(pdf(paragraph("secret"), encrypt="password"), "secret.pdf")
    assert (error.code, error.message) == (
        "invalid_file",
        "'secret.pdf' is encrypted; upload it without a password",
    )


def test_a_pdf_without_pages_is_not_called_encrypted_after_one_that_was():
    import pypdfium2

    refusal(pdf(paragraph("secret"), encrypt="password"), "secret.pdf")
    content = io.BytesIO()
    pypdfium2.PdfDocument.new().save(content)
    assert refusal(content.getvalue(), "none.pdf").message.startswith("'none.pdf' is a PDF without pages")


def test_pages_without_text_are_taken_for_scans():
    from reportlab.graphics.shapes import Drawing, Rect

    drawing = Drawing(100, 100)
    drawing.add(Rect(0, 0, 100, 100))
    error = refusal(pdf(drawing))
    assert error.code == "invalid_file"
    assert (
        "no text was found in 'file.pdf'; its pages are probably scans: run text recognition" in error.message
    )


@pytest.mark.parametrize("content", [b"%PDF-1.7\nnothing else", b"no PDF at all", b"%PDF-"])
def test_a_damaged_pdf_is_refused(content):
    error = refusal(content)
    assert error.code == "invalid_file"
    assert "damaged" in error.message


def test_a_cut_off_pdf_gives_its_text_or_a_refusal():
    whole = pdf(*pages(3))
    for share in (0.3, 0.6, 0.9):
        try:
            assert extract("a.pdf", whole[: int(len(whole) * share)]).text
        except Unreadable as error:
            assert error.code == "invalid_file"


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_pdf_with_damaged_bytes_never_crashes(data):
    content = bytearray(WHOLE)
    for _ in range(data.draw(st.integers(1, 30))):
        content[data.draw(st.integers(5, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        extract("a.pdf", bytes(content)).text.encode()
    except Unreadable as error:
        assert error.code == "invalid_file"


WHOLE = pdf(*pages(2))


@pytest.mark.parametrize("path", sorted(DOCUMENTS.glob("*.pdf")), ids=lambda path: path.name)
def test_the_sample_documents_come_out_as_sentences(path):
    document = extract(path.name, path.read_bytes())
    assert all(page.text for page in document.pages)
    found = [span.text for span in sentences(document.text)]
    prose = [text for text in found if len(text) > 120 and not set(text) & set("|{=")]
    whole = [text for text in prose if text[-1] in ".!?:"]
    assert len(whole) > 0.95 * len(prose)
    assert not any("\n" in text for text in whole if len(text) < 400 and "{" not in text)


# Tables and columns

CELLS = [
    ["Plan", "What it includes", "Price"],
    ["Team", "Unlimited dashboards, export to CSV, and priority support on working days", "49 EUR"],
    [
        "Business",
        "Everything in Team, single sign-on, and an audit log kept for two years",
        "129 EUR a month",
    ],
]


@pytest.mark.parametrize("alignment", ["TOP", "MIDDLE", "BOTTOM"])
def test_cells_of_several_lines_stay_in_their_row(alignment):
    from reportlab.platypus import Table

    rows = [[paragraph(cell) for cell in row] for row in CELLS]
    table = Table(rows, colWidths=[80, 170, 60], style=[("VALIGN", (0, 0), (-1, -1), alignment)])
    text = extract("a.pdf", pdf(paragraph(PROSE), table, paragraph(PROSE))).text
    assert text == "\n\n".join([PROSE, "\n".join(" | ".join(row) for row in CELLS), PROSE])


def test_an_empty_cell_leaves_its_place_empty():
    from reportlab.platypus import Table

    rows = [["Region", "2022", "2023"], ["North", "1.2", "1.5"], ["South", "", "2.5"], ["East", "3", "4"]]
    text = extract("a.pdf", pdf(Table(rows, colWidths=[100, 60, 60]))).text
    assert text == "\n".join(" | ".join(row) for row in rows)


def drawn(lines):
    """A page with each text where it is said to be, in this order."""
    from reportlab.pdfgen.canvas import Canvas

    content = io.BytesIO()
    canvas = Canvas(content)
    canvas.setFont("Helvetica", 10)
    for left, baseline, text in lines:
        canvas.drawString(left, baseline, text)
    canvas.save()
    return content.getvalue()


def column(text, left):
    from reportlab.lib.utils import simpleSplit

    lines = simpleSplit(text, "Helvetica", 10, 220)
    return [(left, 750 - 12 * place, line) for place, line in enumerate(lines)]


@pytest.mark.parametrize("by_line", [False, True], ids=["column by column", "line by line"])
def test_columns_of_prose_are_read_one_after_the_other(by_line):
    left, right = column(f"Left. {PROSE} {PROSE}", 50), column(f"Right. {PROSE} {PROSE}", 310)
    lines = [line for pair in zip(left, right, strict=True) for line in pair] if by_line else left + right
    text = extract("a.pdf", drawn(lines)).text
    assert text == f"Left. {PROSE} {PROSE}\n\nRight. {PROSE} {PROSE}"


def test_a_table_of_short_entries_drawn_column_by_column_is_read_by_rows():
    rows = [["North", "1.2", "1.5"], ["South", "2.1", "2.5"], ["East", "3.0", "4.0"]]
    entries = [
        (50 + 100 * column, 700 - 14 * row, rows[row][column]) for column in range(3) for row in range(3)
    ]
    assert extract("a.pdf", drawn(entries)).text == "\n".join(" | ".join(row) for row in rows)


def test_a_page_with_nothing_but_a_running_line_keeps_it():
    from reportlab.platypus import PageBreak

    slides = [
        part for year in (2021, 2022, 2023) for part in (paragraph(f"Revenue {year}: 5 million"), PageBreak())
    ]
    texts = [page.text for page in extract("a.pdf", pdf(*slides)).pages]
    assert texts == [f"Revenue {year}: 5 million" for year in (2021, 2022, 2023)]


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.lists(st.text("abcdefghijkxyz", min_size=1, max_size=8), min_size=3, max_size=3),
        min_size=1,
        max_size=6,
    )
)
def test_every_entry_of_a_table_comes_out_in_its_row(rows):
    from reportlab.platypus import Table

    text = extract("a.pdf", pdf(Table(rows, colWidths=[120, 120, 120]))).text
    assert text == "\n".join(" | ".join(row) for row in rows)
