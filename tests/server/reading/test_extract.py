import io
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.server.reading import Document, Unreadable
from harness.server.reading.extract import SUPPORTED_TYPES, extract
from harness.server.reading.names import basename

TEXT = "Prices start at 19 EUR.\nRefunds take 5 days.\n"


def refusal(name, content):
    with pytest.raises(Unreadable) as caught:
        extract(name, content)
    return caught.value


def test_plain_text_and_markdown_come_out_as_they_are():
    assert extract("notes.txt", TEXT.encode()).text == TEXT.strip()
    assert extract("readme.md", b"# Title\n\n- one\n- two\n").text == "# Title\n\n- one\n- two"


@pytest.mark.parametrize(
    "name", ["main.py", "app.JS", "style.css", "Main.java", "main.go", "paper.tex", "run.sh", "a.cs"]
)
def test_source_code_keeps_its_indentation(name):
    code = "def f(x):\n    if x:\n        return 1"
    assert extract(name, code.encode()).text == code


@pytest.mark.parametrize(
    "content",
    [
        "Grüße für 5 €".encode(),
        "Grüße für 5 €".encode("utf-8-sig"),
        "Grüße für 5 €".encode("utf-16"),
        "Grüße für 5 €".encode("utf-16-le"),
        "Grüße für 5 €".encode("utf-16-be"),
        "Grüße für 5 €".encode("cp1252"),
        "Grüße für 5 €".encode("utf-32"),
    ],
)
def test_every_usual_encoding_is_recognised(content):
    assert extract("notes.txt", content).text == "Grüße für 5 €"


def test_latin_1_bytes_that_windows_does_not_know_are_still_text():
    assert extract("notes.txt", b"caf\xe9 \x81 and more words").text.startswith("café ")


def test_pages_are_numbered_only_where_the_format_has_pages():
    assert [page.number for page in extract("notes.txt", b"text").pages] == [None]


def test_html_gives_what_a_reader_sees():
    markup = """<!doctype html><html><head><title>Hidden</title><style>p {color: red}</style></head><body>
    <script>alert("no")</script><h1>Export <em>guide</em></h1><p>Open   the
    settings.<br>Choose Export.</p><ul><li>CSV</li><li><p>XLSX</p></li></ul>
    <table><tr><th>Plan</th><th>Price</th></tr><tr><td>Team</td><td>49&nbsp;EUR</td></tr></table>
    <pre>line one
      indented</pre><!-- comment --></body></html>"""
    assert extract("page.html", markup.encode()).text == (
        "# Export guide\n\nOpen the settings.\nChoose Export.\n\n- CSV\n- XLSX\n\n"
        "Plan | Price\nTeam | 49 EUR\n\nline one\n      indented"
    )


def test_ordered_lists_of_html_keep_their_numbers():
    page = "<ul><li>a<ol start=3><li>b</li><li>c</li></ol></li><li>d</li></ul><ol><li><p>e</p></li></ol>"
    lines = [line for line in extract("page.html", page.encode()).text.splitlines() if line]
    assert lines == ["- a", "3. b", "4. c", "- d", "1. e"]


def test_html_names_its_encoding():
    page = '<html><head><meta charset="iso-8859-2"></head><body>Žluťoučký kůň</body></html>'
    assert extract("page.htm", page.encode("iso-8859-2")).text == "Žluťoučký kůň"


def test_deeply_nested_html_is_read():
    assert extract("page.html", b"<html><body>" + b"<div>" * 5000 + b"deep").text == "deep"


def test_csv_rows_explain_themselves_and_bare_rows_stay_rows():
    with_header = b'month,"units sold",revenue\n2024-01,5,"1,200"\n2024-02,,900\n'
    assert extract("sales.csv", with_header).text == (
        "month: 2024-01; units sold: 5; revenue: 1,200\nmonth: 2024-02; revenue: 900"
    )
    assert extract("bare.csv", b"1;2\n3;4\n").text == "1 | 2\n3 | 4"
    assert extract("sales.tsv", b"a\tb\nx, y\tz\n").text == "a: x, y; b: z"


def test_json_on_one_line_is_spread_out_and_other_json_stays():
    assert extract("data.json", b'{"name": "caf\\u00e9", "tags": [1]}').text == (
        '{\n "name": "café",\n "tags": [\n  1\n ]\n}'
    )
    assert extract("broken.json", b'{"name": ').text == '{"name":'
    assert extract("deep.json", b"[" * 100_000).text == "[" * 100_000


def test_lone_surrogates_never_leave_the_room():
    assert extract("data.json", b'{"a": "\\ud800"}').text.encode()


# Word documents


def word_document(build):
    import docx

    document = docx.Document()
    build(document)
    content = io.BytesIO()
    document.save(content)
    return content.getvalue()


def test_a_word_document_gives_headings_lists_and_tables_in_their_order():
    def build(document):
        document.add_heading("Refunds", 1)
        document.add_paragraph("Refunds take 5 days.")
        document.add_paragraph("Ask by e-mail", style="List Bullet")
        table = document.add_table(rows=2, cols=2)
        for cell, text in zip(table._cells, ["Plan", "Price", "Team", "49\nEUR"], strict=True):
            cell.text = text
        document.add_paragraph("The end.")

    assert extract("guide.docx", word_document(build)).text == (
        "# Refunds\n\nRefunds take 5 days.\n\n- Ask by e-mail\n\nPlan | Price\nTeam | 49 EUR\n\nThe end."
    )


def test_a_cell_that_spans_columns_is_written_once():
    def build(document):
        table = document.add_table(rows=1, cols=3)
        table.cell(0, 0).merge(table.cell(0, 1)).text = "wide"
        table.cell(0, 2).text = "narrow"

    assert extract("guide.docx", word_document(build)).text == "wide | narrow"


def test_a_word_document_without_text_is_invalid():
    error = refusal("empty.docx", word_document(lambda document: None))
    assert error.code == "invalid_file"
    assert "no text was found in 'empty.docx'" in error.message


def test_damaged_word_documents_are_refused():
    whole = word_document(lambda document: document.add_paragraph("text"))
    for content in (whole[: len(whole) // 2], b"PK\x03\x04" + b"\x00" * 100, b"no zip at all"):
        error = refusal("guide.docx", content)
        assert error.code == "invalid_file"
        assert "'guide.docx' is damaged" in error.message


def test_an_encrypted_or_old_word_file_is_named_as_such():
    error = refusal("secret.docx", bytes.fromhex("d0cf11e0a1b11ae1") + b"x" * 600)
    assert error.code == "invalid_file"
    assert "encrypted or in the old Word format" in error.message


def test_a_zip_bomb_is_refused_before_it_is_unpacked():
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", b" " * 60_000_000)
    error = refusal("bomb.docx", content.getvalue())
    assert error.code == "invalid_file"
    assert "would unpack to 60,000,000 bytes" in error.message


# What is refused


@pytest.mark.parametrize("content", [b"", b" \n\t ", b"\x00\x00"])
def test_an_empty_file_is_invalid(content):
    error = refusal("empty.txt", content)
    assert (error.code, error.message) == (
        "invalid_file",
        "'empty.txt' is empty; upload a file that has text in it",
    )


@pytest.mark.parametrize("name", ["photo.png", "song.mp3", "archive.tar", "program.exe", "sheet.xlsx"])
def test_an_unknown_type_is_refused_with_the_supported_ones(name):
    error = refusal(name, b"\x89PNG\r\n\x1a\n some content")
    assert error.code == "unsupported_file"
    assert name in error.message
    assert all(suffix in error.message for suffix in SUPPORTED_TYPES)


def test_an_archive_is_no_document_whatever_its_name():
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("a.txt", "text")
    assert refusal("notes.txt", content.getvalue()).code == "unsupported_file"


def test_binary_data_in_a_text_file_is_invalid():
    error = refusal("notes.txt", bytes(range(256)) * 20)
    assert error.code == "invalid_file"
    assert "holds binary data" in error.message


def test_text_without_a_suffix_is_read_and_binary_data_without_one_is_not():
    assert extract("LICENSE", b"Apache License").text == "Apache License"
    assert refusal("core", bytes(range(256)) * 20).code == "unsupported_file"


def test_a_web_page_named_txt_is_read_as_a_web_page():
    assert extract("page.txt", b"<!DOCTYPE html><html><body><p>Hello</p></body></html>").text == "Hello"


@pytest.mark.parametrize(
    ("given_name", "kept"),
    [
        ("../../etc/notes.txt", "notes.txt"),
        ("C:\\docs\\notes.txt", "notes.txt"),
        ("a\x00b.txt", "ab.txt"),
        ("", "file"),
        ("/", "file"),
    ],
)
def test_only_the_last_part_of_a_name_is_kept(given_name, kept):
    assert basename(given_name) == kept


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([*SUPPORTED_TYPES, "", ".bin"]),
    st.one_of(
        st.binary(max_size=400),
        st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")),
        st.binary(max_size=200).map(lambda tail: b"%PDF-1.4\n" + tail),
        st.binary(max_size=200).map(lambda tail: b"PK\x03\x04" + tail),
        st.binary(max_size=200).map(lambda tail: b"<!doctype html><table><tr><td>" + tail),
        st.binary(max_size=200).map(lambda tail: b"\xff\xfe" + tail),
    ),
)
def test_whatever_the_bytes_are_there_is_a_document_or_one_clear_refusal(suffix, content):
    try:
        document = extract(f"upload{suffix}", content)
    except Unreadable as error:
        assert error.code in ("unsupported_file", "invalid_file")
        assert "upload" in error.message
    else:
        assert isinstance(document, Document)
        assert document.text.strip()
        document.text.encode("utf-8")


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_word_document_with_damaged_bytes_never_crashes(data):
    content = bytearray(WORD)
    for _ in range(data.draw(st.integers(1, 20))):
        content[data.draw(st.integers(4, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        extract("guide.docx", bytes(content))
    except Unreadable as error:
        assert error.code in ("unsupported_file", "invalid_file")


@settings(max_examples=60, deadline=None)
@given(st.binary(min_size=1, max_size=300), st.booleans())
def test_a_word_document_whose_xml_is_nonsense_never_crashes(body, well_formed):
    xml = b"<?xml version='1.0'?><w:document xmlns:w='http://schemas.openxmlformats.org/wordprocessingml/2006/main'>"
    xml += b"<w:body><w:tbl><w:tr><w:p/></w:tr></w:tbl></w:body></w:document>" if well_formed else body
    content = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(WORD)) as whole, zipfile.ZipFile(content, "w") as archive:
        for member in whole.namelist():
            archive.writestr(member, xml if member == "word/document.xml" else whole.read(member))
    try:
        extract("guide.docx", content.getvalue())
    except Unreadable as error:
        assert error.code == "invalid_file"


WORD = word_document(lambda document: document.add_paragraph("Refunds take 5 days."))
