"""The page, as it stands in its file and as a real browser shows it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from msgspec.structs import replace

from harness.reporters.html import HtmlReporter

CHROMIUM = Path("/usr/bin/chromium")


class Page(HTMLParser):
    """The elements of a page, with their attributes, and its text outside scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag):
        self._inside = ""

    def handle_data(self, data):
        if self._inside not in {"script", "style"}:
            self.text += f" {data}"


def test_the_page_refers_to_nothing_outside_itself(run):
    page = Page(HtmlReporter().render(run))
    links = [
        attributes.get(name)
        for _, attributes in page.elements
        for name in ("src", "href")
        if name in attributes
    ]
    assert all((link or "").startswith(("#", "data:")) for link in links)


def test_the_policy_allows_our_script_and_style_and_nothing_else(run):
    page = Page(HtmlReporter().render(run))
    (policy,) = [a["content"] for _, a in page.elements if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    assert "connect-src" not in policy  # so default-src forbids every request


def test_the_summary_can_be_read_without_script(run):
    text = " ".join(Page(HtmlReporter().render(run)).text.split())
    assert "3 of 7 conversations passed" in text
    assert "62.5%" in text
    assert "$0.0073 + unknown for 1 trial (the target reported no usage)" in text
    assert "the run failed: server_error: the model is overloaded" in text
    assert re.search(r"0 right 1 missed should not 0 false alarms 1 right", text)


def test_hostile_text_is_escaped_in_the_summary(run):
    text = HtmlReporter().render(run)
    assert "<script>window.attacked" not in text
    assert "&lt;script&gt;window.attacked" in text
    assert "{{ 7 * 7 }}" in text
    assert "<tag>" not in text


def test_a_wholly_unknown_cost_is_called_unknown_with_the_reason(run):
    unknown = tuple(replace(r, cost_usd=None, cost_reason="no price for model 'm'") for r in run.results)
    text = " ".join(Page(HtmlReporter().render(replace(run, results=unknown))).text.split())
    assert "Cost unknown (no price for model 'm')" in text


def test_a_run_over_many_suites_keeps_a_short_heading(run):
    many = tuple(replace(run.results[0], suite=f"suite-{n}") for n in range(5))
    page = HtmlReporter().render(replace(run, results=many))
    assert "<h1>suite-0, suite-1, suite-2 and 2 more suites</h1>" in page


def test_a_run_without_results_still_makes_a_page(empty):
    text = " ".join(Page(HtmlReporter().render(empty)).text.split())
    assert "0 of 0 conversations passed" in text
    assert "5 planned trials without a result" in text


# --- in a browser --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser():
    """A browser that can't reach the network."""
    if not CHROMIUM.exists():
        pytest.skip(f"no Chromium at {CHROMIUM}")
    from playwright.sync_api import sync_playwright

    quiet = "--no-sandbox --disable-gpu --disable-dev-shm-usage --disable-background-networking"
    with sync_playwright() as playwright:
        arguments = [*quiet.split(), "--disable-component-update", "--disable-sync", "--no-first-run"]
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(run, tmp_path_factory) -> str:
    """Where the report of the suite run lies."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(HtmlReporter().render(run), encoding="utf-8")
    return path.as_uri()


@pytest.fixture
def page(browser, address) -> Iterator:
    """The report, opened; a test that made it complain or ask the network for anything fails."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(120_000)  # a busy machine is slow, not wrong
    page = context.new_page()
    troubles: list[str] = []
    page.on("console", lambda message: troubles.append(f"console {message.type}: {message.text}"))
    page.on("pageerror", lambda error: troubles.append(f"error: {error}"))
    page.on("request", lambda request: troubles.append(request.url) if outside(request.url) else None)
    page.goto(address)
    page.wait_for_selector("html[data-ready]")
    yield page
    assert page.evaluate("window.attacked") is None
    assert troubles == []
    context.close()


def until(page, function: str, arg: object = None) -> None:
    """Waits until the page says so; asked from outside, for its own policy forbids evaluating text."""
    for _ in range(6_000):
        if page.evaluate(function, arg):
            return
        page.wait_for_timeout(20)
    raise AssertionError(f"the page never came to {function}")


def outside(url: str) -> bool:
    return not url.startswith(("file:", "data:", "blob:"))


def names(page) -> list[str]:
    return page.locator("#rows tbody .main > button").all_inner_texts()


def open_trial(page, trial_id: str) -> None:
    page.evaluate("id => { location.hash = '#' + encodeURIComponent(id) }", trial_id)
    until(page, "id => location.hash === '#' + encodeURIComponent(id)", arg=trial_id)
    page.wait_for_selector("dialog[open] .turn")


def unfold(details) -> None:
    """Opens it and waits for its content, which the page draws only once the browser says that it is open."""
    details.locator("summary").click()
    details.locator("summary + *").wait_for()


browser_test = pytest.mark.browser


@browser_test
def test_what_failed_comes_first(page):
    assert names(page)[0] == "renew-a-loan"
    badges = page.locator("#rows tbody .badge").all_inner_texts()
    assert badges == ["flaky", "failed", "failed", "errored", "passed", "passed", "passed"]


@browser_test
def test_the_search_finds_words_of_the_user_and_reasons(page):
    page.fill("#search", "chart MONTH")
    assert names(page) == ["loans-chart"]
    assert page.inner_text("#count") == "1 of 7 conversations"
    page.fill("#search", "voucher")
    assert names(page) == ["renew-a-loan"]
    page.fill("#search", "nothing like it")
    assert names(page) == []


@browser_test
def test_filters_narrow_the_list_together_and_can_be_cleared(page):
    page.select_option("#filter-outcome", "failed")
    page.select_option("#filter-suite", "service")
    assert names(page) == ["blocked-card"]
    page.click("text=Clear")
    until(page, "document.querySelectorAll('#rows tbody tr').length === 7")
    page.select_option("#filter-tag", "off-topic")
    assert names(page) == ["weather"]


@browser_test
def test_an_unmet_check_of_the_summary_filters_the_list(page):
    page.click("[data-check=calls]")
    assert names(page) == ["blocked-card"]
    assert page.input_value("#filter-check") == "calls"


@browser_test
def test_columns_sort_both_ways_and_unknown_values_come_last(page):
    page.click("#rows thead >> text=Conversation")
    assert names(page) == sorted(names(page))
    page.click("#rows thead >> text=Tokens")
    assert names(page)[0] == "renew-a-loan"
    assert names(page)[-1] == "printer"
    page.click("#rows thead >> text=Tokens")
    assert names(page)[-1] == "printer"
    assert page.get_attribute("#rows thead th[data-key=tokens]", "aria-sort") == "ascending"


@browser_test
def test_a_row_opens_the_repeat_that_failed_with_its_whole_transcript(page):
    page.click("text=renew-a-loan")
    page.wait_for_selector("dialog[open]")
    assert page.inner_text(".tabs [aria-pressed=true]") == "Repeat 2 failed"
    text = page.inner_text("dialog .body")
    for part in ("Can I renew my books?", "each time for 28 days", "Searched the documents", "2 passages"):
        assert part in text
    assert "waited 2.0 s for rate limits" in text
    assert "✗ grounded 0.5" in text
    page.click("text=Repeat 1")
    until(page, "document.querySelector('.tabs [aria-pressed=true]').innerText.startsWith('Repeat 1')")
    assert "voucher" not in page.inner_text("dialog .body")


@browser_test
def test_sentences_are_marked_at_the_right_place_also_after_emoji(page):
    open_trial(page, "lending/renew-a-loan@main#2")
    assert page.locator(".sentence.unsupported").all_inner_texts() == [
        "After that you get a 🎁 voucher for the café."
    ]
    supported = page.locator(".sentence.supported").all_inner_texts()
    assert supported == ["Yes 📚: a loan can be renewed twice, each time for 28 days", "."]


@browser_test
def test_grounding_of_the_whole_conversation_is_marked_in_its_turns(browser, run, tmp_path):
    result = run.results[1]
    grounded = result.scores[2]
    sentences = [sentence | {"turn": 0} for sentence in grounded.evidence["sentences"]]
    whole = replace(grounded, turn=None, evidence={"sentences": sentences})
    path = tmp_path / "whole.html"
    path.write_text(HtmlReporter().render(replace(run, results=(replace(result, scores=(whole,)),))))
    page = browser.new_page()
    page.goto(path.as_uri() + "#lending%2Frenew-a-loan%40main%232")
    page.wait_for_selector("dialog[open] .sentence.unsupported")
    assert page.locator(".sentence.unsupported").count() == 1
    page.close()


@browser_test
def test_the_evidence_of_a_sentence_is_shown_on_hover_on_click_and_by_keyboard(page):
    open_trial(page, "lending/renew-a-loan@main#2")
    card = page.locator("#evidence")
    page.hover(".sentence.unsupported")
    assert card.is_visible()
    page.hover("#transcript-title")
    assert card.is_hidden()
    page.click(".sentence.unsupported")
    page.hover("#transcript-title")
    assert "No passage speaks of a voucher." in card.inner_text()
    assert "lending.pdf, page 3" in card.inner_text()
    page.keyboard.press("Escape")
    assert card.is_hidden()
    page.focus(".sentence.supported")
    page.keyboard.press("Enter")
    assert "A loan can be renewed twice" in card.inner_text()


@browser_test
def test_records_in_the_evidence_of_a_score_are_a_table_and_the_rest_is_as_it_is(page):
    open_trial(page, "lending/renew-a-loan@main#2")
    evidence = page.locator(".scores li.failed details").first
    unfold(evidence)
    assert evidence.locator("caption").all_inner_texts() == ["sentences"]
    heads = evidence.locator("th").all_inner_texts()
    assert {"start", "end", "supported"} <= set(heads)
    verdicts = evidence.locator(f"tbody td:nth-child({heads.index('supported') + 1})").all_inner_texts()
    assert {"yes", "no"} <= set(verdicts)
    assert '"share": 0.5' in evidence.locator("pre").inner_text()


@browser_test
def test_a_citation_shows_the_chunk_it_points_at(page):
    open_trial(page, "lending/renew-a-loan@main#1")
    page.click(".cite")
    assert "Renewals. A loan can be renewed twice" in page.inner_text("#evidence")


@browser_test
def test_tool_calls_show_arguments_outputs_and_errors(page):
    open_trial(page, "service/blocked-card@main#1")
    text = page.inner_text("dialog .body")
    assert '"urgency": "low"' in text
    assert '"ticket": "L-204"' in text
    assert "no stub answers send_sms({})" in text


@browser_test
def test_code_its_log_and_its_image_are_shown(page):
    open_trial(page, "service/loans-chart@main#1")
    text = page.inner_text("dialog .body")
    assert "import pandas as pd" in text
    assert "8 months" in text
    until(page, "document.querySelector('dialog img').naturalWidth === 360")


@browser_test
def test_html_in_answers_documents_and_names_is_shown_as_text_and_does_nothing(page):
    open_trial(page, "lending/odd-\x07bell & <tag>@main#1")
    for details in page.locator("dialog details").all():
        unfold(details)
    hostile = "<script>window.attacked = 1</script><img src=x onerror="
    assert page.inner_text("dialog .bubble.assistant").count(hostile) == 1
    assert page.inner_text("dialog .bubble.user").count(hostile) == 1
    assert hostile in page.inner_text("dialog blockquote")
    assert page.locator("dialog img, dialog script").count() == 0
    assert page.evaluate("window.attacked") is None


@browser_test
def test_an_errored_trial_shows_its_error_and_history_is_shown_apart(page):
    open_trial(page, "lending/printer@main#1")
    assert "server_error: the model is overloaded" in page.inner_text("dialog .alert >> nth=0")
    open_trial(page, "lending/study-room@main#1")
    page.wait_for_selector("dialog .history")
    assert "Welcome to the library!" in page.inner_text("dialog .history")


@browser_test
def test_a_deep_link_opens_its_trial_and_closing_forgets_it(page, address):
    page.goto("about:blank")
    page.goto(f"{address}#lending%2Frenew-a-loan%40main%232")
    page.wait_for_selector("dialog[open]")
    assert page.inner_text("#transcript-title") == "renew-a-loan failed"
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog:not([open])", state="attached")
    until(page, "location.hash === ''")  # the browser tells of the closing a moment later


@browser_test
@pytest.mark.parametrize("address_of", ["#nobody", "#%E0%A4%A", "#conversations"])
def test_a_link_to_nothing_opens_nothing(page, address, address_of):
    page.goto("about:blank")
    page.goto(address + address_of)
    page.wait_for_selector("html[data-ready]")
    assert page.locator("dialog[open]").count() == 0


@browser_test
def test_the_next_conversation_is_one_click_away(page):
    page.click("text=renew-a-loan")
    page.wait_for_selector("dialog[open]")
    page.click("[aria-label='Next conversation']")
    until(page, "document.getElementById('transcript-title').innerText.startsWith('odd-')")


@browser_test
def test_long_lists_are_shown_page_by_page(browser, run, tmp_path):
    many = tuple(
        replace(run.results[8], conversation=f"c-{n:03}", trial_id=f"service/c-{n:03}@main#1")
        for n in range(120)
    )
    path = tmp_path / "many.html"
    path.write_text(HtmlReporter().render(replace(run, results=many)), encoding="utf-8")
    page = browser.new_page()
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-ready]")
    assert (len(names(page)), names(page)[0]) == (50, "c-000")
    page.click("#pager >> text=Next")
    assert names(page)[0] == "c-050"
    page.fill("#search", "c-119")
    assert names(page) == ["c-119"]
    page.close()


@browser_test
def test_an_open_transcript_is_printed_whole_and_stays_open(page):
    import pypdfium2

    open_trial(page, "lending/renew-a-loan@main#2")
    document = pypdfium2.PdfDocument(page.pdf(height="5in"))
    text = "".join(sheet.get_textpage().get_text_range() for sheet in document)
    document.close()
    assert "Can I renew my books?" in text
    assert "Please bring it back" in text
    assert "By suite" not in text
    assert page.evaluate("document.querySelector('dialog').matches(':modal')")


@browser_test
@pytest.mark.parametrize("width", [1280, 420])
def test_nothing_sticks_out_sideways(page, width):
    page.set_viewport_size({"width": width, "height": 860})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    open_trial(page, "lending/renew-a-loan@main#2")
    assert page.evaluate("document.querySelector('dialog .body').scrollWidth <= innerWidth")


@browser_test
def test_without_script_the_page_says_so_and_lists_what_failed(browser, address):
    context = browser.new_context(java_script_enabled=False)
    context.set_default_timeout(120_000)  # a busy machine is slow, not wrong
    page = context.new_page()
    page.goto(address)
    assert "allow scripts" in page.inner_text("#fallback")
    assert "lending/renew-a-loan@main" in page.inner_text("#fallback")
    context.close()
