"""Sums in words and figures: the code that is written works out the right number, and only for sums."""

from __future__ import annotations

import contextlib
import io
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.server.llms.extractive.sums import code_for


def result(said: str) -> str | None:
    """What the code for a message prints; None when no code is written."""
    code = code_for(said)
    if code is None:
        return None
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code, {})
    return printed.getvalue().strip()


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("I need to solve the equation `3x + 11 = 14`. Can you help me?", "x = 1"),
        ("What is x if 2(x+3)=11?", "x = 5/2"),
        ("solve x^2 - 5x + 6 = 0", "x = 2 or x = 3"),
        ("Solve y² = 9 please", "y = -3 or y = 3"),
        ("Solve x^3 = 8", "This equation is of a higher degree than two."),
        ("solve x + 1 = x", "It has no solution."),
        ("What is 235 * 17 + 4?", "3999"),
        ("(3+4)*2", "14"),
        ("What is 7 times 8?", "56"),
        ("calculate 007 + 1", "8"),
        ("What is the square root of 2025?", "45"),
        ("What is 15% of 80?", "12"),
        ("80 increased by 15%", "92"),
        ("factorial of 10", "3628800"),
        ("2 to the power of 10", "1024"),
        ("How many days are there between 2024-01-15 and 2024-03-01?", "46 days"),
        ("How many weeks from March 1, 2024 to March 15, 2024?", "2 weeks"),
        ("Generate the first 10 numbers of the Fibonacci sequence", "0, 1, 1, 2, 3, 5, 8, 13, 21, 34"),
        ("List the first 5 prime numbers", "2, 3, 5, 7, 11"),
        ("What is the average of 3, 5 and 7?", "5"),
        ("Give me the sum of 1,200, 300 and 5.", "1,505"),
        ("What is the greatest common divisor of 12 and 18?", "6"),
    ],
)
def test_a_sum_is_worked_out(said: str, expected: str) -> None:
    assert result(said) == expected


@pytest.mark.parametrize(
    "said",
    [
        "my order 12-345-678 is late",
        "call 555-123-4567",
        "What are your opening hours, 9-5?",
        "I paid 1/2 of the rent in 2024",
        "Could you explain linear functions to me?",
        "orders 10023, 10024 and 10025 are late",
        "What happened between 1914 and 1918?",
        "a = b",
        "What is 2 ** 9999999?",
        "What is __import__('os').system('id') + 1?",
        "",
    ],
)
def test_what_is_no_sum_gets_no_code(said: str) -> None:
    assert code_for(said) is None


@given(st.integers(-50, 50).filter(bool), st.integers(-99, 99), st.integers(-99, 99))
def test_a_linear_equation_is_solved_exactly(a: int, b: int, c: int) -> None:
    sign = "+" if b >= 0 else "-"
    assert result(f"Solve {a}x {sign} {abs(b)} = {c}") == f"x = {Fraction(c - b, a)}"


@given(st.text(alphabet="0123456789x=+-*/^(). ,%!", max_size=30))
def test_code_for_any_figures_and_signs_can_at_least_be_compiled(said: str) -> None:
    code = code_for(said)
    if code is not None:
        compile(code, "<sum>", "exec")
