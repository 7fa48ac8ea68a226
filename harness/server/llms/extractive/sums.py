"""Sums in words and figures, as code that works them out: expressions, equations, dates, lists of numbers."""

from __future__ import annotations

import re
from collections.abc import Callable

from harness.server.llms.extractive.strings import dates_in
from harness.text import fold, late

_NUMBER = r"-?\d[\d,]*(?:\.\d+)?"
_MOST_DIGITS = 15
"""Longer figures are references, not numbers."""
_MOST_TERMS = 1_000
_PRINT_SHORT = 'print(f"{_result:,.10g}" if isinstance(_result, float) else _result)\n'


_SIGNS = {ord(sign): plain for sign, plain in {"×": "*", "÷": "/", "−": "-", "²": "^2", "³": "^3"}.items()}


def code_for(said: str) -> str | None:
    """Python code for the sum that a message asks for; None when it asks for none."""
    text = fold(said.translate(_SIGNS))
    return next((code for make in _MAKERS if (code := make(text))), None)


def _figure(text: str) -> str:
    """A number as Python spells it; ``007`` is 7."""
    whole, point, rest = text.replace(",", "").rstrip(".").partition(".")
    sign = "-" if whole.startswith("-") else ""
    return f"{sign}{int(whole.lstrip('-') or '0')}{point}{rest}"


def _days(text: str) -> str | None:
    """The time between two dates."""
    unit = re.search(r"\b(days?|weeks?|months?|years?)\b", text)
    found = dates_in(text)
    if unit is None or len(found) != 2 or not re.search(r"\b(?:between|from|until|till|to|since)\b", text):
        return None
    start, end = found
    told = {"d": "days", "w": "days / 7", "m": "days / 365.2425 * 12", "y": "days / 365.2425"}[
        unit.group(1)[0]
    ]
    return (
        "from datetime import date\n"
        f"days = abs((date.fromisoformat({end!r}) - date.fromisoformat({start!r})).days)\n"
        f"print(f'{{{told}:g}}', {unit.group(1)!r})\n"
    )


_SIDE = r"[-+*/^().\d\sa-z]{1,80}?"
_EQUATION = late(
    rf"(?<![\w.])((?:[-(]?\s*\d[\d.]*\s*\*?\s*|[-(]\s*)?[a-z](?![a-z])[-+*/^().\d\sa-z]{{0,80}}|"
    rf"[-(\d]{_SIDE})=\s*([-+*/^().\d\sa-z]{{1,80}})"
)


def _equation(text: str) -> str | None:
    """An equation of the first or second degree in one unknown."""
    for match in _EQUATION.finditer(text):
        sides = [_side(match.group(1), -1), _side(match.group(2), 0)]
        unknown = {letter for side in sides for letter in re.findall(r"[a-z]+", side)}
        if len(unknown) == 1 and len(name := unknown.pop()) == 1 and all(map(_is_expression, sides)):
            return _SOLVER.format(name=name, left=sides[0], right=sides[1])
    return None


def _side(text: str, nearest: int) -> str:
    """One side of an equation without the words around it, and with every product written out."""
    kept = re.split(r"[a-z]{2,}", text)[nearest].strip().rstrip(".")
    kept = re.sub(r"(?<=[\d)])\s*(?=[a-z(])", "*", kept)
    kept = re.sub(r"(?<=[a-z])(?=\()", "*", kept)
    return re.sub(r"\d[\d.]*", lambda figure: _figure(figure.group()), kept.replace("^", "**"))


def _is_expression(code: str) -> bool:
    try:
        compile(code, "<sum>", "eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return False
    return bool(code.strip())


# Three values of left minus right tell the coefficients of a quadratic; a fourth tells whether it is one.
_SOLVER = """\
from fractions import Fraction
import cmath

def f({name}):
    return ({left}) - ({right})

f0, f1, f2, f3 = (f(Fraction(n)) for n in range(4))
a = (f2 - 2 * f1 + f0) / 2
b = f1 - f0 - a
c = f0
if 9 * a + 3 * b + c != f3:
    print("This equation is of a higher degree than two.")
elif a:
    root = cmath.sqrt(float(b * b - 4 * a * c))
    roots = [(-float(b) + sign * root) / (2 * float(a)) for sign in (1, -1)]
    found = {{complex(round(z.real, 10) + 0.0, round(z.imag, 10) + 0.0) for z in roots}}
    shown = sorted(f"{{z:g}}" if z.imag else f"{{z.real:g}}" for z in found)
    print(" or ".join(f"{name} = {{z}}" for z in shown))
elif b:
    print("{name} =", -c / b)
else:
    print("Every value solves it." if not c else "It has no solution.")
"""


def _called(pattern: str, code: str) -> Callable[[str], str | None]:
    """A maker for one kind of sum: figures found by a pattern, put into code."""
    compiled = re.compile(pattern.replace("NUMBER", f"({_NUMBER})"))

    def make(text: str) -> str | None:
        match = compiled.search(text)
        if match is None or any(len(figure) > _MOST_DIGITS for figure in match.groups()):
            return None
        return code.format(*(_figure(figure) for figure in match.groups())) + _PRINT_SHORT

    return make


_COUNT = r"\b(?:first|next)\s+(\d{1,4})\s+(?:\w+\s+){0,4}?"
_SEQUENCES = {
    "fibonacci": """\
a, b, numbers = 0, 1, []
for _ in range({count}):
    numbers.append(a)
    a, b = b, a + b
""",
    "prime": """\
n, numbers = 2, []
while len(numbers) < {count}:
    if all(n % p for p in numbers):
        numbers.append(n)
    n += 1
""",
    "even": "numbers = [2 * n for n in range(1, {count} + 1)]\n",
    "odd": "numbers = [2 * n - 1 for n in range(1, {count} + 1)]\n",
    "square": "numbers = [n * n for n in range(1, {count} + 1)]\n",
}


def _sequence(text: str) -> str | None:
    """The beginning of a well-known sequence."""
    for word, code in _SEQUENCES.items():
        match = re.search(rf"{_COUNT}{word}\w*\b", text) or re.search(
            rf"\b{word}\w*\b.{{0,40}}?\bfirst (\d{{1,4}})\b", text
        )
        if match and 0 < int(match.group(1)) <= _MOST_TERMS:
            return code.format(count=match.group(1)) + "print(*numbers, sep=', ')\n"
    return None


_OVER_LISTS = {
    r"averages?|means?": "statistics.mean",
    r"medians?": "statistics.median",
    r"standard deviations?": "statistics.stdev",
    r"sums?|totals?|add(?:ed)?": "math.fsum",
    r"products?": "math.prod",
    r"largest|biggest|highest|maximum|max": "max",
    r"smallest|lowest|minimum|min": "min",
    r"sort\w*|ascending|in order": "sorted",
    r"greatest common divisor|gcd": "math.gcd",
    r"least common multiple|lcm": "math.lcm",
}
_LIST = late(rf"(?<![\w-]){_NUMBER}(?:\s*(?:,\s*(?:and\s+)?|\band\b|;)\s*{_NUMBER})+")


def _over_list(text: str) -> str | None:
    """One number for a list of them, or the list in order."""
    listed = _LIST.search(re.sub(r"(?<=\d),(?=\s)", " ;", text))
    if listed is None:
        return None
    figures = [_figure(each) for each in re.findall(_NUMBER, listed.group().replace(" ;", " ; "))]
    for words, function in _OVER_LISTS.items():
        if re.search(rf"\b(?:{words})\b", text) and len(figures) > 1:
            numbers = ", ".join(figures)
            whole = function in ("math.gcd", "math.lcm")
            return (
                f"import math, statistics\n_result = {function}({'*' if whole else ''}[{numbers}])\n"
                + _PRINT_SHORT
            )
    return None


_OPERATION = late(r"[-(]*\s*\d[\d,.]*[\s)]*(?:(?:\*\*|[-+*/^])[\s(]*-?\d[\d,.]*[\s)]*)+")
_ASKING = late(
    r"\b(?:what(?: is|'s|s)|how much (?:is|are)|calculate|compute|evaluate|work out|solve|"
    r"result of|value of)\b"
)
_WORDS = (
    (r"(?<=\d)\s+(?:plus)\s+(?=[\d(])", " + "),
    (r"(?<=\d)\s+(?:minus)\s+(?=[\d(])", " - "),
    (r"(?<=\d)\s+(?:times|multiplied by|x)\s+(?=[\d(])", " * "),
    (r"(?<=\d)\s+(?:divided by|over)\s+(?=[\d(])", " / "),
)


def _asks_for(figures: str, text: str) -> bool:
    """Whether figures with signs between them are a sum, and not a reference, a range or a phone number."""
    alone = len(text.replace(figures, " ").split()) <= 1
    signed = re.search(r"[*+^/(]|\s-\s", figures) is not None
    return signed and (alone or _ASKING.search(text) is not None)


def _expression(text: str) -> str | None:
    """A sum in figures, or in figures and words."""
    for words, sign in _WORDS:
        text = re.sub(words, sign, text)
    match = _OPERATION.search(text)
    if match is None or dates_in(match.group()) or not _asks_for(match.group().strip(), text):
        return None
    code = (
        re.sub(r"\d[\d,.]*", lambda figure: _figure(figure.group()), match.group()).replace("^", "**").strip()
    )
    code = code if code.count("(") == code.count(")") else code.strip("()")
    too_large = re.search(r"\*\*\s*\(?\s*-?\d{4,}", code)
    return None if too_large or not _is_expression(code) else f"_result = {code}\n{_PRINT_SHORT}"


_MAKERS: tuple[Callable[[str], str | None], ...] = (
    _days,
    _equation,
    _sequence,
    _over_list,
    _called(r"NUMBER\s*(?:%|percent) of NUMBER", "_result = {0} * {1} / 100\n"),
    _called(
        r"what (?:percent|percentage|share) (?:is|of \w+ is) NUMBER (?:out )?of NUMBER",
        "_result = 100 * {0} / {1}\n",
    ),
    _called(
        r"NUMBER (?:increased|plus|raised) by NUMBER\s*(?:%|percent)", "_result = {0} * (100 + {1}) / 100\n"
    ),
    _called(
        r"NUMBER (?:decreased|reduced|lowered|minus) by NUMBER\s*(?:%|percent)",
        "_result = {0} * (100 - {1}) / 100\n",
    ),
    _called(
        r"square root of NUMBER",
        "import cmath\n_result = cmath.sqrt({0})\n_result = _result if _result.imag else _result.real\n",
    ),
    _called(r"cube root of NUMBER", "_result = round({0} ** (1 / 3), 10)\n"),
    _called(r"NUMBER (?:squared|to the square)", "_result = {0} ** 2\n"),
    _called(r"NUMBER (?:cubed)", "_result = {0} ** 3\n"),
    _called(
        r"NUMBER (?:to the power of|raised to(?: the power of)?) (-?\d{1,3})\b", "_result = {0} ** {1}\n"
    ),
    _called(r"(?:factorial of |(?=\d+!))(\d{1,3})\b", "import math\n_result = math.factorial({0})\n"),
    _expression,
)
