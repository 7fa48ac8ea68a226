"""Code for questions about tabular files: columns, filters, aggregation, and a chart when asked.

The code is plain pandas and matplotlib. It prints its findings as short sentences, which the answer
repeats word for word, so that every figure in the answer was computed.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePosixPath

from harness.server.llms.extractive.lexicon import alike, generic_stems
from harness.server.llms.interface import FileInfo
from harness.text import content_stems, fold, late, stem

TABULAR = (".csv", ".tsv", ".xlsx", ".xls", ".json", ".jsonl")
#: First line of what the code that only looks at a file prints.
LOOKED = "Columns of"


@dataclass(frozen=True, slots=True)
class Table:
    """A tabular file as far as it is known: its columns by kind."""

    file: FileInfo
    columns: tuple[str, ...]
    numeric: tuple[str, ...]
    dated: str | None
    categories: tuple[str, ...]
    values: frozenset[str]
    without_years: bool = False
    """Whether the dates are names of months and nothing else."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """What to compute: a measure, how to aggregate it, by which column or period, how to show it."""

    measure: str | None
    how: str
    group: str | None
    period: str | None
    chart: str | None
    rank: str | None
    overview: bool = False


# --- whether and which ----------------------------------------------------------------------------


_STRONG = late(
    r"\b(?:plot(?:s|ted)?|visuali[sz]e\w*|visuali[sz]ation|histogram|analy[sz]e|analy[sz]ing|"
    r"analysis of|correlat\w*|"
    r"pivot|(?:create|make|draw|show|build|generate|give|produce|need|want|prepare|render|see|as|"
    r"with)\b[^.?!]{0,40}\b(?:chart|graph|diagram|trend)s?|"
    r"(?:chart|graph|diagram|trends?) (?:of|for|showing|with|by|in|over))\b"
)
_WEAK = late(
    r"\b(?:average|mean|median|sum|totals?|highest|lowest|most|least|fewest|best|worst|top|bottom|maximum|"
    r"minimum|max|min|compare|comparison|"
    r"distribution|summari[sz]e|summary|overview|how (?:many|much)|which|count|per|by|each|growth|"
    r"over time|monthly|yearly|quarterly|calculate|compute|"
    r"share|percentage|sold|develop\w*|decline\w*|increase\w*|perform\w*|rank\w*)\b"
)
_DATA = late(
    r"\b(?:data ?(?:set|file)?|files?|csv|xlsx?|excel|spreadsheets?|sheet|table|rows?|columns?|records)\b"
)
_ABOUT_THE_PRODUCT = late(
    r"\b(?:how (?:do|can|could|would|should) (?:i|we|you|one)|how to|where (?:do|can|is|are)|can i|"
    r"is it possible|does|what (?:is|are) (?:a|an)\b|why (?:is|are|does|do)|is there)\b"
)


def is_tabular(file: FileInfo) -> bool:
    """Whether a file holds a table, by its name."""
    return file.filename.casefold().endswith(TABULAR)


def wants_analysis(question: str, files: Sequence[FileInfo]) -> bool:
    """Whether a message wants something computed or drawn from a tabular file."""
    text = fold(question)
    if re.search(r"\bhow many (?:rows|records|columns|lines|entries)\b", text) and any(
        map(is_tabular, files)
    ):
        return True
    tables = [table_of(file) for file in files if is_tabular(file)]
    if _ABOUT_THE_PRODUCT.search(text) and not re.search(
        r"\b(?:this|these|attached|uploaded|my) (?:\w+ )?(?:data|file|csv|table|spreadsheet|sheet)", text
    ):
        return False
    if _STRONG.search(text):
        return bool(tables) or bool(
            re.search(r"\b(?:this|attached|my|the) (?:\w+ )?(?:data|file|csv|table|spreadsheet|sheet)", text)
        )
    if not tables or not _WEAK.search(text):
        return False
    if _DATA.search(text) and re.search(r"\b(?:this|these|attached|uploaded|the|my|file|csv|xlsx)\b", text):
        return True
    return any(_touches(text, table) or _is_about_a_measure(text, table) for table in tables)


def _is_about_a_measure(text: str, table: Table) -> bool:
    """Whether a question names a column of figures, how to put it together, and nothing else."""
    if not re.search(r"\b(?:totals?|sum|average|mean|median|highest|lowest|overall|maximum|minimum)\b", text):
        return False
    said = [word for word in content_stems(_WEAK.sub(" ", text)) if word not in generic_stems()]
    return bool(said) and all(any(_column_said(column, [word]) for column in table.numeric) for word in said)


def _touches(text: str, table: Table) -> bool:
    """Whether a question speaks of a table: two of its columns, or one and a value or a year."""
    said = content_stems(text)
    columns = sum(_column_said(column, said) for column in table.columns)
    values = sum(1 for value in table.values if re.search(rf"(?<!\w){re.escape(value)}(?!\w)", text))
    year = table.dated is not None and bool(re.search(r"\b(?:19|20)\d\d\b|\bmonth|\byear|\bquarter", text))
    return columns >= 2 or (columns >= 1 and (values >= 1 or year))


def _column_said(column: str, said: Sequence[str]) -> bool:
    words = [word for word in content_stems(_spaced(column)) if word not in ("usd", "eur", "id", "no")]
    return any(_same(word, other) for word in words for other in said)


def _same(one: str, other: str) -> bool:
    return one == other or other in _measure_synonyms(one) or alike(one, other)


_MEASURES = (
    "revenue sale turnover income earning amount",
    "unit quantity qty sold sell volume piece item",
    "cost expense spending",
    "profit margin earning",
    "customer client user",
    "date month day time period",
)


def _measure_synonyms(word: str) -> frozenset[str]:
    groups = [frozenset(stem(w) for w in line.split()) for line in _MEASURES]
    return frozenset().union(*(group for group in groups if word in group))


def _named(column: str) -> str:
    """A column in words for a sentence: ``revenue_usd`` is "revenue in USD"."""
    words = _spaced(column).split()
    if len(words) > 1 and words[-1].casefold() in ("usd", "eur", "gbp", "chf"):
        return f"{' '.join(words[:-1])} in {words[-1].upper()}"
    return " ".join(words)


def _spaced(column: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", column).replace("_", " ").replace("-", " ").strip()


def chosen_file(question: str, files: Sequence[FileInfo]) -> FileInfo | None:
    """The tabular file a question is about: named in it, or nearest by its columns, else the last."""
    tables = [file for file in files if is_tabular(file)]
    text = fold(question)
    for file in reversed(tables):
        if fold(file.filename) in text:
            return file
    said = content_stems(text)
    scored = [
        (
            sum(_column_said(column, said) for column in table_of(file).columns)
            + sum(word in said for word in content_stems(_spaced(PurePosixPath(file.filename).stem))),
            index,
        )
        for index, file in enumerate(tables)
    ]
    return tables[max(scored)[1]] if scored else None


# --- reading the head -----------------------------------------------------------------------------


_NUMBER = late(r"^\s*[-+]?[$€£]?\s?\d[\d,. ]*%?\s*$")
_DATE = late(
    r"^\s*(?:\d{4}[-/.]\d{1,2}(?:[-/.]\d{1,2})?(?:[T ].*)?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}|\d{4}[- "
    r"]?Q[1-4]|(?:[A-Z][a-z]{2,8})[ -]\d{2,4})\s*$"
)
_MONTH_NAME = late(
    r"(?i:january|february|march|april|may|june|july|august|september|october|november|december|"
    r"jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)"
)
_DATE_NAMES = late(r"\b(?:date|month|day|week|quarter|period|year|time|timestamp|created|ordered)\b")


def table_of(file: FileInfo, head: str | None = None) -> Table:
    """The table a file's head shows; without columns when the head cannot be read."""
    rows = _rows(file, file.head if head is None else head)
    if len(rows) < 2:
        return Table(file, (), (), None, (), frozenset())
    columns = tuple(cell.strip().strip("\ufeff") for cell in rows[0])
    cells = {
        c: [row[i].strip() for row in rows[1:] if len(row) == len(columns) and row[i].strip()]
        for i, c in enumerate(columns)
    }
    dated = _dated(columns, cells)
    numeric = tuple(c for c in columns if c != dated and cells[c] and all(_NUMBER.match(v) for v in cells[c]))
    categories = tuple(c for c in columns if c not in numeric and c != dated and cells[c])
    values = frozenset(fold(v) for c in categories for v in cells[c] if len(v) > 1)
    without_years = dated is not None and all(_MONTH_NAME.fullmatch(value) for value in cells[dated])
    return Table(file, columns, numeric, dated, categories, values, without_years)


def _rows(file: FileInfo, head: str) -> list[list[str]]:
    lines = [line for line in head.splitlines() if line.strip()]
    if not lines:
        return []
    if head.lstrip()[:1] in ("[", "{"):
        return _rows_of_objects(head)
    if len(head) >= 1900:
        lines = lines[:-1] or lines  # the last line may be cut
    try:
        return [
            row
            for row in csv.reader(io.StringIO("\n".join(lines[:60])), delimiter=separator_of(lines[0]))
            if row
        ]
    except csv.Error:
        return []


def _rows_of_objects(head: str) -> list[list[str]]:
    """The flat objects of a JSON file's head as rows under the keys of the first."""
    objects = []
    for text in re.findall(r"\{[^{}]*\}", head)[:60]:
        with suppress(ValueError):
            objects.append(json.loads(text))
    if not objects or not objects[0]:
        return []
    keys = list(objects[0])
    return [keys, *([str(item.get(key, "")) for key in keys] for item in objects)]


def separator_of(line: str) -> str:
    """What parts the columns of a header line."""
    return max((",", ";", "\t", "|"), key=line.count)


def _dated(columns: Sequence[str], cells: dict[str, list[str]]) -> str | None:
    for column in columns:
        if cells[column] and all(_DATE.match(value) for value in cells[column]):
            return column
    for column in columns:
        named = bool(_DATE_NAMES.search(fold(_spaced(column))))
        if (
            named
            and cells[column]
            and all(re.fullmatch(rf"(?:19|20)\d\d|{_MONTH_NAME.pattern}", v) for v in cells[column])
        ):
            return column
    return None


# --- the plan -------------------------------------------------------------------------------------


def plan(question: str, table: Table) -> Analysis:
    """What a question wants computed from a table."""
    text = fold(question)
    chart = _chart(text)
    period = _period(text) if table.dated else None
    period = "month" if period and table.without_years else period
    group = _group(text, table)
    measure = _measure(text, table)
    how = _how(text)
    rank = (
        "top"
        if re.search(r"\b(?:highest|most|best|top|largest|biggest|maximum|max|strongest)\b", text)
        else None
    )
    rank = rank or (
        "bottom"
        if re.search(r"\b(?:lowest|least|fewest|worst|smallest|minimum|min|weakest|bottom)\b", text)
        else None
    )
    if (
        table.dated
        and group is None
        and period is None
        and (rank or chart)
        and re.search(r"\b(?:month|when|quarter|year)\b", text)
    ):
        period = _period(text) or "month"
    if table.dated and chart not in (None, "hist") and group is None and period is None and how != "count":
        period = "month"
    overview = bool(
        re.search(r"\b(?:summari[sz]e|summary|overview|describe|analy[sz]e|what(?:'s| is) in)\b", text)
    ) and not (group or period or rank)
    if chart and chart != "pie" and period:
        chart = "line" if chart == "auto" else chart
    return Analysis(measure, how, group, period, "bar" if chart == "auto" else chart, rank, overview)


def _chart(text: str) -> str | None:
    if re.search(r"\bpie\b", text):
        return "pie"
    if re.search(r"\bbars?\b", text):
        return "bar"
    if re.search(r"\bhistogram\b", text):
        return "hist"
    if re.search(r"\bline (?:chart|graph|plot)\b", text):
        return "line"
    return (
        "auto"
        if re.search(r"\b(?:charts?|plot\w*|graphs?|visuali[sz]\w+|trends?|diagram|draw)\b", text)
        else None
    )


def _period(text: str) -> str | None:
    for name, pattern in {
        "year": r"\b(?:yearly|annual\w*|(?:by|per|each|every|which) year|year (?:by|over) year|years)\b",
        "quarter": r"\b(?:quarterly|quarters?)\b",
        "week": r"\b(?:weekly|(?:by|per|each|every|which) week)\b",
        "day": r"\b(?:daily|(?:by|per|each|every|which) day)\b",
        "month": r"\b(?:monthly|(?:by|per|each|every|which|what) months?|month (?:by|over) month|months|"
        r"trends?|"
        r"over time|develop\w*|evol\w*)\b",
    }.items():
        if re.search(pattern, text):
            return name
    return None


def _group(text: str, table: Table) -> str | None:
    for column in table.categories:
        name = r"[ _-]".join(re.escape(word) for word in fold(_spaced(column)).split())
        last = fold(_spaced(column)).split()[-1:] or [""]
        plural = re.escape(last[0].rstrip("y")) if last[0].endswith("y") else re.escape(last[0])
        if re.search(
            rf"\b(?:by|per|each|every|which|what|for each|across|between|compare|of all|"
            rf"(?:by|per) \w+ (?:and|,)|top \d+|top|best|worst|of the|among)\b(?: (?:the|all|different|\d+|"
            rf"best|selling|two|three))* (?:{name}|"
            rf"{plural})(?:s|es|ies)?\b",
            text,
        ):
            return column
    for column in table.categories:
        words = content_stems(_spaced(column))
        if (
            words
            and re.search(rf"\b{re.escape(fold(_spaced(column)))}s\b", text)
            and all(w in content_stems(text) for w in words)
        ):
            return column
    return None


def _measure(text: str, table: Table) -> str | None:
    said = content_stems(text)
    numeric = [
        c for c in table.numeric if not re.search(r"\b(?:id|year|zip|code|number|no)\b", fold(_spaced(c)))
    ]
    for exact in (True, False):
        for column in numeric:
            words = [w for w in content_stems(_spaced(column)) if w not in ("usd", "eur", "gbp", "total")]
            if any(word in said if exact else any(_same(word, other) for other in said) for word in words):
                return column
    usual = [c for c in numeric if re.search(r"revenue|sales|amount|total|value|price|profit", c.casefold())]
    return next(iter(usual or numeric), None)


def _how(text: str) -> str:
    if re.search(r"\b(?:average|mean|avg|typical)\b", text):
        return "mean"
    if re.search(r"\bmedian\b", text):
        return "median"
    if re.search(
        r"\bhow many (?:rows|records|entries|lines|orders|transactions|customers|tickets)\b|\bnumber "
        r"of (?:rows|records|entries|orders|lines|transactions)\b|\bcount\b",
        text,
    ):
        return "count"
    return "sum"


# --- the code -------------------------------------------------------------------------------------


def looking_code(file: FileInfo, question: str) -> str:
    """Code that prints the first rows of a file whose columns are not known yet."""
    return "\n".join(
        [
            *_reading(file, (), question),
            _say(f"{LOOKED} {file.filename}"),
            "print(df.head(25).to_csv(index=False))",
        ]
    )


def _reading(file: FileInfo, lines: Sequence[str], question: str) -> list[str]:
    name = file.filename.casefold()
    first = (file.head.splitlines() or [""])[0]
    into = [f"df = {_call(file, name, first)}"] if not _is_workbook(name) else _sheets(file, question)
    return [
        "import warnings",
        "import pandas as pd",
        *lines,
        "",
        "warnings.filterwarnings('ignore')",
        *into,
        "df.columns = [str(c).strip() for c in df.columns]",
    ]


def _is_workbook(name: str) -> bool:
    return name.endswith((".xlsx", ".xls"))


def _sheets(file: FileInfo, question: str) -> list[str]:
    """Code that takes the sheet a question names or is about; sheets with the same columns are one table."""
    stems = sorted(set(content_stems(question)))
    return [
        f"book = pd.read_excel({file.path!r}, sheet_name=None)",
        "sheets = {str(name).strip(): sheet for name, sheet in book.items() if len(sheet)}",
        "sheets = sheets or {'': pd.DataFrame()}",
        f"asked, stems = {fold(question)!r}, {stems!r}",
        "named = [name for name in sheets if name and name.casefold() in asked]",
        "",
        "def fits(name):",
        "    told = ' '.join([name, *map(str, sheets[name].columns)]).casefold()",
        "    return name in named, sum(stem in told for stem in stems), len(sheets[name])",
        "",
        "best = max(sheets, key=fits)",
        "alike = [n for n in named or sheets if list(sheets[n].columns) == list(sheets[best].columns)]",
        "df = sheets[best]",
        "if len(alike) > 1:",
        "    df = pd.concat([sheets[name].assign(Sheet=name) for name in alike], ignore_index=True)",
    ]


def _about_sheets(file: FileInfo) -> list[str]:
    """Code that says which of several sheets the figures are from."""
    if not _is_workbook(file.filename.casefold()):
        return []
    told = "The workbook has {len(sheets)} sheets ({', '.join(sheets)}); this is about {' and '.join(alike)}."
    return ["if len(sheets) > 1:", f'    print(f"{told}")']


def _call(file: FileInfo, name: str, first: str) -> str:
    if name.endswith(".jsonl"):
        return f"pd.read_json({file.path!r}, lines=True)"
    if name.endswith(".json"):
        return f"pd.read_json({file.path!r})"
    return f"pd.read_csv({file.path!r}, sep={separator_of(first) if first else ','!r})"


def analysis_code(question: str, table: Table, analysis: Analysis, *, before: str = "") -> str:
    """The code that answers a question about a table.

    Values named in the question ("Europe", "2025") become filters by what the file holds when the code runs.
    ``before`` is an earlier question whose filters hold on where this one names none.
    """
    drawing = ["import matplotlib.pyplot as plt"] if analysis.chart else []
    lines = _reading(table.file, drawing, before or question)
    lines += _about_sheets(table.file)
    lines += _numbers(table)
    lines += _dates(table)
    lines += _filters(question, table, before)
    lines += _findings(table, analysis)
    return "\n".join(lines) + "\n"


def _numbers(table: Table) -> list[str]:
    """Columns of figures become numbers, also where they are written as ``$1,234.50`` or ``1.234,50``."""
    if not table.numeric:
        return []
    return [
        "def to_numbers(column):",
        "    if pd.api.types.is_numeric_dtype(column):",
        "        return column",
        "    text = column.astype(str).str.replace(r'[^0-9.,-]', '', regex=True)",
        "    if text.str.contains(r',[0-9]{1,2}$', regex=True).any():",
        "        text = text.str.replace('.', '', regex=False).str.replace(',', '.', regex=False)",
        "    return pd.to_numeric(text.str.replace(',', '', regex=False), errors='coerce')",
        "",
        f"for column in {list(table.numeric)!r}:",
        "    df[column] = to_numbers(df[column])",
    ]


def _dates(table: Table) -> list[str]:
    if table.dated is None:
        return []
    column = repr(table.dated)
    if table.without_years:
        names = f"df[{column}].astype(str).str.strip().str[:3]"
        return [f"when = pd.to_datetime({names} + ' 2000', format='%b %Y', errors='coerce')"]
    return [f"when = pd.to_datetime(df[{column}].astype(str), errors='coerce')"]


def _filters(question: str, table: Table, before: str) -> list[str]:
    lines = ["", "import re", f"question = {fold(question)!r}", f"before = {fold(before)!r}", "chosen = []"]
    if table.categories:
        lines += [
            f"for column in {list(table.categories)!r}:",
            "    values = [str(v) for v in df[column].dropna().unique()]",
            "    if len(values) > 500:",
            "        continue",
            "    for text in (question, before):",
            "        named = [v for v in values if re.search(r'(?<!\\w)' + re.escape(v.lower()) + "
            "r'(?!\\w)', text)]",
            "        named = [v for v in named if not any(v != o and v.lower() in o.lower() for o in named)]",
            "        if named and len(named) < len(values):",
            "            keep = df[column].astype(str).isin(named)",
            "            df = df[keep]",
            "            chosen.append(' and '.join(named))",
            "        if named:",
            "            break",
        ]
    if table.dated is not None:
        lines += _time_filters(table)
    return [*lines, "scope = ' for ' + ', '.join(chosen) if chosen else ''", ""]


def _time_filters(table: Table) -> list[str]:
    """Years, months and quarters that the question names."""
    years = [
        "for text in (question, before):",
        "    years = sorted({int(y) for y in re.findall(r'\\b(?:19|20)\\d\\d\\b', text)})",
        "    if years:",
        "        df = df[when.dt.year.isin(years)]",
        "        when = when.loc[df.index]",
        "        chosen.append(' and '.join(str(y) for y in years))",
        "        break",
    ]
    return [
        "when = when.loc[df.index]",
        *([] if table.without_years else years),
        "months = ['january', 'february', 'march', 'april', 'may', 'june', 'july', 'august',",
        "          'september', 'october', 'november', 'december']",
        "named = [m for m in months if re.search(r'\\bin (?:\\w+ and )?' + m + r'\\b|\\b' + m + r' "
        "(?:of )?(?:19|20)\\d\\d', question)]",
        "quarter = re.search(r'\\bq([1-4])\\b', question)",
        "if named:",
        "    df = df[when.dt.month.isin([months.index(m) + 1 for m in named])]",
        "    chosen.append(' and '.join(m.capitalize() for m in named))",
        "elif quarter:",
        "    df = df[when.dt.quarter == int(quarter.group(1))]",
        "    chosen.append('Q' + quarter.group(1))",
        "when = when.loc[df.index]",
    ]


_HOW_IN_WORDS = {"sum": "Total", "mean": "Average", "median": "Median", "count": "Number of rows"}
_FREQUENCY = {"year": "Y", "quarter": "Q", "month": "M", "week": "W", "day": "D"}


def _findings(table: Table, analysis: Analysis) -> list[str]:
    body: list[str] = []
    if analysis.overview or (analysis.measure is None and analysis.how != "count"):
        body += _overview(table)
        if analysis.chart is None or analysis.measure is None:
            return _guarded(body)
    label = _named(analysis.measure) if analysis.measure and analysis.how != "count" else ""
    title = f"{_HOW_IN_WORDS[analysis.how]} {label}".strip()
    if analysis.group or analysis.period:
        body += _grouped(analysis, title, without_years=table.without_years)
    else:
        body += _single(analysis, title)
    return _guarded(body)


def _guarded(body: list[str]) -> list[str]:
    return [
        "def plain(value):",
        "    number = round(float(value), 2)",
        "    return f'{number:,.0f}' if number == int(number) else f'{number:,.2f}'",
        "",
        "if df.empty:",
        "    print(f'There are no rows{scope}.')",
        "else:",
        *(f"    {line}" if line else "" for line in body),
    ]


class _Code(str):
    """An expression of the generated code, as opposed to words that it prints."""


_SCOPE = _Code("scope")


def _say(*parts: str) -> str:
    """A print of words and of expressions that are strings."""
    return f"print({' + '.join(part if isinstance(part, _Code) else repr(part) for part in parts)})"


def _plain(expression: str) -> _Code:
    return _Code(f"plain({expression})")


def _overview(table: Table) -> list[str]:
    size = (_Code("f'{len(df):,}'"), " rows and ", _Code("str(len(df.columns))"), " columns: ")
    lines = [_say(f"{table.file.filename} has ", *size, _Code("', '.join(df.columns)"), ".")]
    if table.dated and not table.without_years:
        lines.append(
            _say(
                "It covers ",
                _Code("f'{when.min():%Y-%m-%d}'"),
                " to ",
                _Code("f'{when.max():%Y-%m-%d}'"),
                ".",
            )
        )
    for column in table.numeric[:5]:
        lines.append(f"numbers = df[{column!r}]")
        total = (": total ", _plain("numbers.sum()"), ", average ", _plain("numbers.mean()"))
        ends = (", lowest ", _plain("numbers.min()"), ", highest ", _plain("numbers.max()"), ".")
        lines.append(_say(_named(column), *total, *ends))
    for column in table.categories[:3]:
        lines.append(f"kinds = [str(v) for v in df[{column!r}].dropna().unique()]")
        names = _Code("(': ' + ', '.join(kinds) if len(kinds) <= 12 else '')")
        lines.append(_say(_spaced(column), ": ", _Code("str(len(kinds))"), " different values", names, "."))
    return lines


def _single(analysis: Analysis, title: str) -> list[str]:
    if analysis.how == "count" or analysis.measure is None:
        return [_say("Number of rows", _SCOPE, ": ", _Code("f'{len(df):,}'"), ".")]
    lines = [f"numbers = df[{analysis.measure!r}]"]
    if analysis.rank:
        pick, word = ("idxmax", "Highest") if analysis.rank == "top" else ("idxmin", "Lowest")
        lines.append(f"row = df.loc[numbers.{pick}()]")
        rest = _Code(f"', '.join(str(k) + ' ' + str(v) for k, v in row.items() if k != {analysis.measure!r})")
        found = _plain(f"row[{analysis.measure!r}]")
        return [*lines, _say(f"{word} {_named(analysis.measure)}", _SCOPE, ": ", found, " (", rest, ").")]
    lines.append(_say(title, _SCOPE, ": ", _plain(f"numbers.{analysis.how}()"), "."))
    if analysis.chart == "hist":
        heading = f"Distribution of {_named(analysis.measure)}"
        lines += ["plt.figure(figsize=(9, 5))", "numbers.plot(kind='hist', bins=20)"]
        lines += _finish(heading, _spaced(analysis.measure), "Number of rows")
    return lines


def _grouped(analysis: Analysis, title: str, *, without_years: bool) -> list[str]:
    keys = []
    if analysis.period:
        period = f"when.dt.to_period({_FREQUENCY[analysis.period]!r})"
        period += "" if without_years else ".astype(str)"
        keys.append(f"{period}.rename({analysis.period!r})")
    if analysis.group:
        keys.append(f"df[{analysis.group!r}]")
    groups = f"df.groupby({'[' + ', '.join(keys) + ']' if len(keys) > 1 else keys[0]})"
    counted = analysis.how == "count" or analysis.measure is None
    series = f"{groups}.size()" if counted else f"{groups}[{analysis.measure!r}].{analysis.how}()"
    months = "{0}.index = [month.strftime('%b') for month in {0}.index]"
    shown = [months] if without_years and analysis.period else []
    if len(keys) > 1:
        return _two_keys(series, analysis, title, [line.format("table") for line in shown])
    lines = [f"result = {series}", *(line.format("result") for line in shown)]
    if not analysis.period:
        lines.append(f"result = result.sort_values(ascending={analysis.rank == 'bottom'})")
    over = analysis.period or _spaced(analysis.group or "")
    return [*lines, *_told(analysis, title, over), *_chart_lines(analysis, title, over)]


def _told(analysis: Analysis, title: str, over: str) -> list[str]:
    lines = []
    if analysis.rank != "bottom":
        lines.append(_extreme(over, "highest", title, "max"))
    if analysis.rank != "top":
        lines.append(_extreme(over, "lowest", title, "min"))
    if analysis.period:
        return lines + _course(analysis, title, over)
    each = _Code("'; '.join(str(k) + ' ' + plain(v) for k, v in result.head(15).items())")
    return [*lines, _say(f"{title} by {over}", _SCOPE, ": ", each, ".")]


def _extreme(over: str, word: str, title: str, end: str) -> str:
    shown = title[:1].lower() + title[1:]
    name, value = _Code(f"str(result.idx{end}())"), _plain(f"result.{end}()")
    return _say(f"The {over} with the {word} {shown}", _SCOPE, " is ", name, " with ", value, ".")


def _course(analysis: Analysis, title: str, over: str) -> list[str]:
    """From where to where a measure went over the periods."""
    first = (_plain("result.iloc[0]"), " in ", _Code("str(result.index[0])"))
    last = (_plain("result.iloc[-1]"), " in ", _Code("str(result.index[-1])"))
    lines = [
        "change = (result.iloc[-1] / result.iloc[0] - 1) * 100 if result.iloc[0] else 0.0",
        _say(
            f"{title} by {over}",
            _SCOPE,
            " went from ",
            *first,
            " to ",
            *last,
            _Code("f' ({change:+.1f} percent).'"),
        ),
    ]
    if analysis.how == "sum":
        count = _Code("str(len(result))")
        lines.append(_say(f"{title} of all ", count, f" {over}s", _SCOPE, ": ", _plain("result.sum()"), "."))
    return lines


def _two_keys(series: str, analysis: Analysis, title: str, shown: list[str]) -> list[str]:
    group = _spaced(analysis.group or "")
    each = _Code("'; '.join(str(k) + ' ' + plain(v) for k, v in result_sums.items())")
    lines = [
        f"table = {series}.unstack(fill_value=0)",
        *shown,
        "result_sums = table.sum().sort_values(ascending=False)",
        _say(f"{title} by {group}", _SCOPE, ": ", each, "."),
        "result = result_sums",
        _extreme(group, "highest", title, "max"),
    ]
    if analysis.chart:
        lines.append("table.plot(figsize=(10, 5), marker='o')")
        lines += _finish(f"{title} by {analysis.period} and {group}", analysis.period or "", title)
    return lines


def _chart_lines(analysis: Analysis, title: str, over: str) -> list[str]:
    if analysis.chart is None:
        return []
    kind = "bar" if analysis.chart == "hist" else analysis.chart
    options = {"line": "kind='line', marker='o'", "pie": "kind='pie', autopct='%1.1f%%'"}
    lines = ["plt.figure(figsize=(10, 5))", f"result.plot({options.get(kind, 'kind=' + repr(kind))})"]
    return lines + (
        _finish(f"{title} by {over}", "", "") if kind == "pie" else _finish(f"{title} by {over}", over, title)
    )


def _finish(title: str, x: str, y: str) -> list[str]:
    turned = ["plt.xticks(rotation=45, ha='right')"] if x else []
    labels = [f"plt.title({title!r} + scope)", f"plt.xlabel({x!r})", f"plt.ylabel({y!r})"]
    return [*labels, *turned, "plt.tight_layout()", "plt.show()"]
