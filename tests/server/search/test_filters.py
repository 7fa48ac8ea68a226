import pytest

from harness.server.errors import ApiError
from harness.server.search import matches

FILE = {"language": "en", "year": 2024, "public": True}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (None, True),
        ({"type": "eq", "key": "language", "value": "en"}, True),
        ({"type": "eq", "key": "language", "value": "de"}, False),
        ({"type": "ne", "key": "language", "value": "de"}, True),
        ({"type": "gt", "key": "year", "value": 2023}, True),
        ({"type": "gte", "key": "year", "value": 2024}, True),
        ({"type": "lt", "key": "year", "value": 2024}, False),
        ({"type": "lte", "key": "year", "value": 2024}, True),
        ({"type": "gt", "key": "language", "value": 3}, False),
        ({"type": "in", "key": "language", "value": ["en", "fr"]}, True),
        ({"type": "nin", "key": "language", "value": ["en", "fr"]}, False),
        ({"type": "eq", "key": "missing", "value": "x"}, False),
        ({"type": "ne", "key": "missing", "value": "x"}, True),
        ({"type": "and", "filters": []}, True),
        ({"type": "or", "filters": []}, False),
        (
            {
                "type": "or",
                "filters": [
                    {"type": "eq", "key": "language", "value": "de"},
                    {"type": "and", "filters": [{"type": "eq", "key": "public", "value": True}]},
                ],
            },
            True,
        ),
    ],
)
def test_a_file_passes_as_its_attributes_say(condition, expected):
    assert matches(condition, FILE) is expected


def nested(depth):
    condition = {"type": "eq", "key": "year", "value": 2024}
    for _ in range(depth):
        condition = {"type": "and", "filters": [condition]}
    return condition


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ({"type": "like", "key": "a", "value": "b"}, "'like' is not a filter type; allowed are eq, ne"),
        ({"type": "eq", "value": "b"}, "needs a 'key'"),
        ({"type": "eq", "key": "language"}, "and a 'value'"),
        ({"type": "in", "key": "language", "value": "en"}, "needs a list 'value'"),
        ({"type": "and"}, "needs a list 'filters'"),
        ({"type": "and", "filters": ["x"]}, "must be an object"),
        (nested(50), "nested at most 20 deep"),
    ],
)
def test_a_malformed_filter_is_refused_with_what_is_wrong(condition, said):
    with pytest.raises(ApiError) as caught:
        matches(condition, FILE)
    assert (caught.value.status, caught.value.param) == (400, "filters")
    assert said in caught.value.message
