"""What a question asks of tabular files: which one, which measure, how to aggregate and to show it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

import msgspec

from harness.server.llms.extractive.lexicon import alike, generic_stems
from harness.server.llms.extractive.tables import Table, in_words, is_tabular, measure_synonyms, table_of
from harness.server.llms.interface import FileInfo
from harness.text import content_stems, fold, late


class Analysis(msgspec.Struct, frozen=True):
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
    words = [word for word in content_stems(in_words(column)) if word not in ("usd", "eur", "id", "no")]
    return any(_same(word, other) for word in words for other in said)


def _same(one: str, other: str) -> bool:
    return one == other or other in measure_synonyms(one) or alike(one, other)


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
            + sum(word in said for word in content_stems(in_words(PurePosixPath(file.filename).stem))),
            index,
        )
        for index, file in enumerate(tables)
    ]
    return tables[max(scored)[1]] if scored else None


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
        name = r"[ _-]".join(re.escape(word) for word in fold(in_words(column)).split())
        last = fold(in_words(column)).split()[-1:] or [""]
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
        words = content_stems(in_words(column))
        if (
            words
            and re.search(rf"\b{re.escape(fold(in_words(column)))}s\b", text)
            and all(w in content_stems(text) for w in words)
        ):
            return column
    return None


def _measure(text: str, table: Table) -> str | None:
    said = content_stems(text)
    numeric = [
        c for c in table.numeric if not re.search(r"\b(?:id|year|zip|code|number|no)\b", fold(in_words(c)))
    ]
    for exact in (True, False):
        for column in numeric:
            words = [w for w in content_stems(in_words(column)) if w not in ("usd", "eur", "gbp", "total")]
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
