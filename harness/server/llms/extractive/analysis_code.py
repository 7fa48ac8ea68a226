"""Code that computes what a question asks of a tabular file.

It is plain pandas and matplotlib, and prints its findings as short sentences, which the answer repeats word
for word, so that every figure in the answer was computed.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.server.llms.extractive.plotting import Analysis
from harness.server.llms.extractive.tables import Table, in_words, separator_of, told_as
from harness.server.llms.interface import FileInfo
from harness.text import content_stems, fold

#: First line of what the code that only looks at a file prints.
LOOKED = "Columns of"


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
    label = told_as(analysis.measure) if analysis.measure and analysis.how != "count" else ""
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
        lines.append(_say(told_as(column), *total, *ends))
    for column in table.categories[:3]:
        lines.append(f"kinds = [str(v) for v in df[{column!r}].dropna().unique()]")
        names = _Code("(': ' + ', '.join(kinds) if len(kinds) <= 12 else '')")
        lines.append(_say(in_words(column), ": ", _Code("str(len(kinds))"), " different values", names, "."))
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
        return [*lines, _say(f"{word} {told_as(analysis.measure)}", _SCOPE, ": ", found, " (", rest, ").")]
    lines.append(_say(title, _SCOPE, ": ", _plain(f"numbers.{analysis.how}()"), "."))
    if analysis.chart == "hist":
        heading = f"Distribution of {told_as(analysis.measure)}"
        lines += ["plt.figure(figsize=(9, 5))", "numbers.plot(kind='hist', bins=20)"]
        lines += _finish(heading, in_words(analysis.measure), "Number of rows")
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
    over = analysis.period or in_words(analysis.group or "")
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
    group = in_words(analysis.group or "")
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
