"""Flags over environment over file over defaults; mistakes are named together."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from harness.errors import SettingsError
from harness.settings import load_settings


def test_defaults_run_offline(tmp_path: Path) -> None:
    settings = load_settings({}, folder=tmp_path, environment={})
    assert (settings.target, settings.concurrency) == ("embedded", 8)


def test_a_flag_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "harness.toml").write_text("concurrency = 2\nrepeats = 2\ndeadline_s = 2.5\n")
    environment = {"HARNESS_CONCURRENCY": "3", "HARNESS_REPEATS": "3"}
    settings = load_settings({"concurrency": 4, "target": None}, folder=tmp_path, environment=environment)
    assert (settings.concurrency, settings.repeats, settings.deadline_s) == (4, 3, 2.5)


def test_the_usual_variables_name_the_server(tmp_path: Path) -> None:
    environment = {"OPENAI_BASE_URL": "http://127.0.0.1:1/v1", "OPENAI_API_KEY": "sk-x"}
    options = load_settings({}, folder=tmp_path, environment=environment).target_options()
    assert (options.base_url, options.api_key) == ("http://127.0.0.1:1/v1", "sk-x")


def test_all_mistakes_are_reported_at_once_with_their_places_and_the_nearest_name(tmp_path: Path) -> None:
    (tmp_path / "harness.toml").write_text("# ours\nconcurency = 2\n\nrepeats =  0\nbudget_usd = 'much'\n")
    with pytest.raises(SettingsError) as caught:
        load_settings({}, folder=tmp_path, environment={"HARNESS_MAX_TRIES": "0"})
    told = str(caught.value).replace(f"{tmp_path}/", "")
    assert told.startswith("4 mistakes found\nmax_tries must be at least 1, not '0'\n")
    assert "harness.toml:2:1: there is no setting 'concurency'\n    hint: did you mean 'concurrency'?" in told
    assert "harness.toml:4:12: repeats must be at least 1, not 0" in told
    assert "harness.toml:5:14: budget_usd must be a number, not 'much'" in told


def test_broken_toml_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "harness.toml").write_text("concurrency = = 2")
    with pytest.raises(SettingsError, match=r"harness\.toml"):
        load_settings({}, folder=tmp_path, environment={})


def test_the_key_is_never_shown() -> None:
    assert "sk-secret" not in repr(load_settings({"api_key": "sk-secret"}, environment={}))


def test_a_misspelt_variable_is_a_mistake_and_those_of_other_programs_are_not(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({}, folder=tmp_path, environment={"HARNESS_CONCURENCY": "3"})
    assert "HARNESS_CONCURENCY" in str(caught.value)
    assert "HARNESS_CONCURRENCY" in str(caught.value.hint)
    others = dict.fromkeys(["HARNESS_BUILD_ID", "HARNESS_STAGE_ID", "HARNESS_SERVER_API_KEY"], "x")
    assert load_settings({}, folder=tmp_path, environment=others).concurrency == 8


def test_the_file_is_not_blamed_for_a_flag(tmp_path: Path) -> None:
    (tmp_path / "harness.toml").write_text("concurrency = 0\n")
    with pytest.raises(SettingsError, match=r"^1 mistake found\nconcurrency must be at least 1, not -1"):
        load_settings({"concurrency": -1}, folder=tmp_path, environment={})


def test_a_file_saved_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    (tmp_path / "harness.toml").write_bytes("\ufeffconcurrency = 2\r\n".encode())
    assert load_settings({}, folder=tmp_path, environment={}).concurrency == 2


def test_prices_of_a_flag_are_laid_over_those_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "harness.toml").write_text(
        '[prices."a"]\ninput = 0.1\noutput = 2\n[prices."b"]\ninput = 1\noutput = 1\n'
    )
    found = load_settings({"prices": ("b=2.5/10/0.25",)}, folder=tmp_path, environment={}).prices
    assert {name: (price.input, price.output, price.cached) for name, price in found.items()} == {
        "a": (Decimal("0.1"), Decimal(2), None),
        "b": (Decimal("2.5"), Decimal(10), Decimal("0.25")),
    }


def test_prices_can_stand_in_a_variable(tmp_path: Path) -> None:
    environment = {"HARNESS_PRICES": "a=1/2, org/b=0/0"}
    assert load_settings({}, folder=tmp_path, environment=environment).prices.keys() == {"a", "org/b"}


@pytest.mark.parametrize("text", ["a", "a=1", "a=1/2/3/4", "=1/2", "a=one/2"])
def test_a_price_that_can_not_be_read_says_how_to_write_it(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsError, match="is no price") as caught:
        load_settings({"prices": (text,)}, folder=tmp_path, environment={})
    assert "MODEL=INPUT/OUTPUT" in str(caught.value.hint)


@pytest.mark.parametrize("name", ["base_url", "judge_base_url", "azure_endpoint"])
@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:/v1", "localhost/v1", "http://h:0", "http://h:99999/v1"]
)
def test_an_address_that_nothing_can_be_sent_to_is_refused_by_name(
    tmp_path: Path, name: str, address: str
) -> None:
    with pytest.raises(
        SettingsError, match=f"{name} must be the address of an API, not '{address}'"
    ) as caught:
        load_settings({name: address}, folder=tmp_path, environment={})
    assert "such as http://127.0.0.1:8080/v1" in str(caught.value)


def test_an_address_in_the_file_is_told_with_its_place_beside_other_mistakes(tmp_path: Path) -> None:
    (tmp_path / "harness.toml").write_text('concurrency = -1\nbase_url = "localhost/v1"\n')
    with pytest.raises(SettingsError) as caught:
        load_settings({}, folder=tmp_path, environment={})
    told = str(caught.value) + str(caught.value.hint)
    assert "harness.toml:1:15: concurrency must be at least 1" in told
    assert "harness.toml:2:12: base_url must be the address of an API, not 'localhost/v1'" in told


def test_a_mistake_in_a_table_of_prices_is_named_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "harness.toml").write_text('[prices."a"]\ninput = -1\noutput = 2\n')
    with pytest.raises(
        SettingsError, match=r"harness\.toml:2:9: prices\.a\.input must be at least 0, not -1"
    ):
        load_settings({}, folder=tmp_path, environment={})


@pytest.mark.parametrize("budget", ["0", "-1", "nan", "inf"])
def test_a_budget_is_more_than_nothing(tmp_path: Path, budget: str) -> None:
    with pytest.raises(SettingsError, match="budget_usd"):
        load_settings({"budget_usd": budget}, folder=tmp_path, environment={})
