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


SCRIPTS = {
    "shift_jis": "料金プランはチームとビジネスの二種類です。返金には五日かかります。",
    "euc_jp": "料金プランはチームとビジネスの二種類です。返金には五日かかります。",
    "gb18030": "团队版每月四十九欧元，退款需要五天。请联系客服。",
    "euc_kr": "팀 요금제는 한 달에 사십구 유로입니다. 환불은 오 일 걸립니다.",
    "big5": "團隊版每月四十九歐元，退款需要五天。請聯絡客服。",
    "cp1251": "Командный тариф стоит 49 евро в месяц, возврат занимает пять дней.",
    "cp1252": "Le forfait équipe coûte 49 € par mois ; le remboursement prend cinq jours.",
    "latin-1": "Der Preis für das Teampaket beträgt 49 Euro, die Rückzahlung dauert fünf Tage.",
}


@pytest.mark.parametrize("encoding", SCRIPTS)
def test_texts_in_older_encodings_come_out_readable(encoding):
    assert extract("notes.txt", SCRIPTS[encoding].encode(encoding)).text == SCRIPTS[encoding]


def test_utf_8_with_a_damaged_place_is_still_utf_8():
    content = "Grüße für fünf Schüler, ältere Gäste und über fünfzig Größen".encode()
    assert extract("notes.txt", content + b" \xc3").text == content.decode() + " \ufffd"


def test_an_xml_file_names_its_encoding():
    content = '<?xml version="1.0" encoding="iso-8859-2"?><a>Žluťoučký kůň</a>'
    assert "Žluťoučký kůň" in extract("a.xml", content.encode("iso-8859-2")).text


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


def test_menus_and_hidden_parts_of_a_page_are_left_out_unless_there_is_nothing_else():
    menu = "<nav>Home</nav><div role=navigation>Docs</div><p hidden>secret</p>"
    page = f"<title>Prices</title>{menu}<main><p>49 EUR</p></main><footer>Call 1234</footer>"
    assert extract("page.html", page.encode()).text == "# Prices\n\n49 EUR\n\nCall 1234"
    assert extract("menu.html", b"<nav>Only a menu</nav>").text == "Only a menu"


def test_a_cell_of_a_page_is_one_line_and_one_over_several_rows_stands_in_each():
    page = """<table><tr><th>Plan<th>Term<th>Price<tr><td rowspan=2><p>Team</p><td><p>monthly,</p>
        <ul><li>card</ul><td>49<tr><td>yearly<td>490</table>"""
    assert extract("page.html", page.encode()).text == (
        "Plan | Term | Price\nTeam | monthly, - card | 49\nTeam | yearly | 490"
    )


def test_a_table_that_lays_out_a_page_keeps_its_paragraphs_and_tables():
    inner = "<table><tr><td>a<td>b<tr><td>c<td>d</table>"
    page = f"<table><tr><td><h2>Plans</h2><p>one</p></td><td>{inner}</table>"
    assert extract("page.html", page.encode()).text == "## Plans\n\none\n\na | b\nc | d"


def test_a_title_above_a_csv_header_stays_and_years_may_be_column_names():
    content = b"Sales report\n\n,2023,2024,plan\nnorth,1,2,team\n"
    assert extract("sales.csv", content).text == "Sales report\nnorth; 2023: 1; 2024: 2; plan: team"


def test_csv_rows_explain_themselves_and_bare_rows_stay_rows():
    with_header = b'month,"units sold",revenue\n2024-01,5,"1,200"\n2024-02,,900\n'
    assert extract("sales.csv", with_header).text == (
        "month: 2024-01; units sold: 5; revenue: 1,200\nmonth: 2024-02; revenue: 900"
    )
    assert extract("bare.csv", b"1;2\n3;4\n").text == "1 | 2\n3 | 4"
    assert extract("sales.tsv", b"a\tb\nx, y\tz\n").text == "a: x, y; b: z"


def test_json_values_stand_behind_their_paths_and_numbers_stay_as_written():
    content = b"""{"name": "caf\\u00e9", "tags": [1, 2], "plans": [
        {"id": "team", "price": 49.10, "old": null}, {"id": "pro", "limits": {"seats": 20, "sso": true}}],
        "tags": "again", "none": {}}"""
    assert extract("data.json", content).text == (
        "name: café\ntags: 1, 2\nplans[0]: id: team; price: 49.10; old: null\n"
        "plans[1].id: pro\nplans[1].limits: seats: 20; sso: true\ntags: again\nnone: {}"
    )
    assert extract("rows.jsonl", b'{"a": 1, "b": "x"}\n{"a": 2}\n').text == "a: 1; b: x\na: 2"


@pytest.mark.parametrize(
    "content", [b'{"name": ', b"[" * 100_000, b'{"a":' * 100_000 + b"1" + b"}" * 100_000]
)
def test_what_is_no_json_that_can_be_parsed_stays_as_it_is(content):
    assert extract("data.json", content).text == content.decode().strip()


def test_json_whose_paths_would_swell_it_stays_as_it_is():
    content = b'{"' + b"k" * 5000 + b'": [' + b",".join(b'{"a":[%d]}' % each for each in range(500)) + b"]}"
    assert extract("data.json", content).text == content.decode()


def test_lone_surrogates_never_leave_the_room():
    assert extract("data.json", b'{"a": "\\ud800"}').text.encode()


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


def test_text_that_speaks_of_pdf_files_is_text():
    assert extract("formats.md", b"A PDF begins with %PDF-1.7.").text == "A PDF begins with %PDF-1.7."


def test_a_workbook_is_refused_and_told_where_it_can_be_read():
    import openpyxl

    content = io.BytesIO()
    openpyxl.Workbook().save(content)
    for name in ("sheet.xlsx", "report.docx"):
        error = refusal(name, content.getvalue())
        assert error.code == "unsupported_file"
        assert (
            "it is an Excel workbook; save its sheets as .csv, or give it to code_interpreter"
            in error.message
        )


@pytest.mark.parametrize(("name", "advice"), [("a.doc", ".docx"), ("a.ppt", ".pptx"), ("a.xls", ".csv")])
def test_old_formats_are_refused_with_the_one_to_save_as(name, advice):
    assert f"save {'its sheets ' if advice == '.csv' else 'it '}as {advice}" in refusal(name, b"old").message


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
        ("..", "file"),
        ("../..\\..", "file"),
        ("notes.txt\u200f", "notes.txt"),
        ("gnp\u202etxt.exe", "gnptxt.exe"),
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
