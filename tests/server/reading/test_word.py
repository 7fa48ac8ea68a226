import io
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.server.reading import Unreadable
from harness.server.reading.extract import extract


def refusal(name, content):
    with pytest.raises(Unreadable) as caught:
        extract(name, content)
    return caught.value


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


# What stands beside the plain paragraphs

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def archive(parts):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as made:
        for name, text in parts.items():
            made.writestr(name, text)
    return content.getvalue()


def package(body, main="word/document.xml", **others):
    """A Word document from XML: its body, and other parts by the last word of their type."""
    links = "".join(f'<Relationship Id="{kind}" Type="{R}/{kind}" Target="{kind}.xml"/>' for kind in others)
    folder, _, file = main.rpartition("/")
    return archive(
        {
            "_rels/.rels": f'<a><Relationship Id="m" Type="{R}/officeDocument" Target="/{main}"/></a>',
            main: f'<w:document xmlns:w="{W}" xmlns:r="{R}"><w:body>{body}</w:body></w:document>',
            f"{folder}/_rels/{file}.rels": f"<a>{links}</a>",
            **{
                f"{folder}/{kind}.xml": f'<w:{kind} xmlns:w="{W}">{xml}</w:{kind}>'
                for kind, xml in others.items()
            },
        }
    )


def run(text):
    return f"<w:r><w:t>{text}</w:t></w:r>"


def text_of(body, **others):
    return extract("guide.docx", package(body, **others)).text


def test_controls_insertions_and_text_boxes_are_read_and_deletions_are_not():
    body = (
        f"<w:sdt><w:sdtContent><w:p>{run('In a control.')}</w:p></w:sdtContent></w:sdt>"
        f"<w:p>{run('Kept')}<w:ins>{run(' and added')}</w:ins>"
        "<w:del><w:r><w:delText>gone</w:delText></w:r></w:del>"
        f"<w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden</w:t></w:r></w:p>"
        f"<w:p><w:r><w:drawing><w:txbxContent><w:p>{run('In a box.')}</w:p></w:txbxContent></w:drawing></w:r>"
        f"<w:r><w:instrText>PAGE</w:instrText></w:r></w:p>"
    )
    assert text_of(body) == "In a control.\n\nKept and added\n\nIn a box."


def test_notes_stand_below_the_paragraph_that_refers_to_them_and_edges_at_the_end():
    reference = '<w:r><w:footnoteReference w:id="2"/></w:r>'
    body = f"<w:p>{run('Refunds take 5 days.')}{reference}</w:p><w:p>{run('End.')}</w:p>"
    notes = '<w:footnote w:type="separator" w:id="0"/>'
    notes += f'<w:footnote w:id="2"><w:p>{run("Bank days.")}</w:p></w:footnote>'
    edge = f"<w:p>{run('Version 7')}</w:p>"
    text = text_of(body, footnotes=notes, header=edge, footer=f"<w:p>{run('12')}</w:p>")
    assert text == "Refunds take 5 days.[1]\n\n[1] Bank days.\n\nEnd.\n\nVersion 7"


def test_lists_and_headings_keep_the_numbers_that_word_shows():
    def level(depth, form, text):
        form, text = f'<w:numFmt w:val="{form}"/>', f'<w:lvlText w:val="{text}"/>'
        return f'<w:lvl w:ilvl="{depth}"><w:start w:val="1"/>{form}{text}</w:lvl>'

    levels = level(0, "decimal", "%1.") + level(1, "lowerLetter", "%1.%2)") + level(2, "bullet", "o")
    numbering = f'<w:abstractNum w:abstractNumId="7">{levels}</w:abstractNum>' + "".join(
        f'<w:num w:numId="{key}"><w:abstractNumId w:val="7"/>{more}</w:num>'
        for key, more in (
            (1, ""),
            (2, '<w:lvlOverride w:ilvl="0"><w:startOverride w:val="1"/></w:lvlOverride>'),
        )
    )
    styles = (
        '<w:style w:styleId="H"><w:name w:val="heading 1"/><w:pPr><w:outlineLvl w:val="0"/></w:pPr></w:style>'
        '<w:style w:styleId="Own"><w:name w:val="Chapter"/><w:basedOn w:val="H"/></w:style>'
    )

    def item(text, depth, key=1, style=""):
        named = f'<w:pStyle w:val="{style}"/>' if style else ""
        listed = f'<w:numPr><w:ilvl w:val="{depth}"/><w:numId w:val="{key}"/></w:numPr>'
        return f"<w:p><w:pPr>{named}{listed}</w:pPr>{run(text)}</w:p>"

    body = "".join(
        [item("Open", 0), item("menu", 1), item("dot", 2), item("button", 1), item("Save", 0, style="Own")]
    )
    text = text_of(
        body + item("Anew", 0, key=2) + item("Plain", 0, key=0), numbering=numbering, styles=styles
    )
    assert text.split("\n\n") == [
        *("1. Open", "1.a) menu", "- dot", "1.b) button", "# 2. Save", "1. Anew", "Plain"),
    ]


def test_a_cell_over_several_rows_stands_in_each_of_them():
    def cell(text, merge=""):
        return f"<w:tc><w:tcPr>{merge}</w:tcPr><w:p>{run(text) if text else ''}</w:p></w:tc>"

    first = '<w:vMerge w:val="restart"/>'
    rows = (
        f"<w:tr>{cell('Team', first)}{cell('49')}</w:tr>",
        f"<w:tr>{cell('', '<w:vMerge/>')}{cell('490')}</w:tr>",
    )
    assert text_of(f"<w:tbl>{''.join(rows)}</w:tbl>") == "Team | 49\nTeam | 490"


def test_the_main_part_is_the_one_the_file_names():
    content = package(f"<w:p>{run('Here.')}</w:p>", main="word/document2.xml")
    assert extract("guide.docx", content).text == "Here."
    assert extract("renamed.pdf", content).text == "Here."
    assert extract("renamed.txt", content).text == "Here."


WORDS = st.text(st.characters(codec="utf-8", categories=("L", "N")), min_size=1, max_size=12)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(WORDS, min_size=1, max_size=4), min_size=1, max_size=6), st.data())
def test_every_word_of_a_generated_document_comes_out_in_its_order(paragraphs, data):
    def build(document):
        for words in paragraphs:
            kind = data.draw(st.sampled_from(["Heading 2", "List Bullet", "List Number", "Normal", "table"]))
            if kind == "table":
                cells = document.add_table(rows=1, cols=len(words))._cells
                for cell, word in zip(cells, words, strict=True):
                    cell.text = word
            else:
                document.add_paragraph(" ".join(words), style=kind)

    text = extract("guide.docx", word_document(build)).text
    place = 0
    for word in (word for words in paragraphs for word in words):
        place = text.index(word, place) + len(word)
