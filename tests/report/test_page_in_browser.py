"""The report page in a real headless Chromium with the network off: what people see, click and type."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE
from real_browser import DESKTOP, PHONE, assert_fits_with_contrast, needs_browser

pytestmark = needs_browser


@pytest.fixture
def opened(browser: Any, whole_page: Path) -> Iterator[Any]:
    """Opens the page in a fresh profile; at the end nothing may have been complained of or asked for."""
    contexts, heard, asked = [], [], []

    def open_page(**settings: Any) -> Any:
        context = browser.new_context(offline=True, **{"viewport": DESKTOP, **settings})
        context.set_default_timeout(1000 * PATIENCE)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: heard.append(message.text))
        page.on("pageerror", lambda error: heard.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(whole_page.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert heard == []
    assert {url.partition("#")[0] for url in asked} == {whole_page.as_uri()}


def column(page: Any, caption: str, index: int) -> list[str]:
    script = """([caption, index]) => {
      const found = [...document.querySelectorAll("table")].find((t) => t.caption?.textContent === caption);
      const rows = [...found.tBodies[0].rows].filter((row) => !row.hidden);
      return rows.map((row) => row.cells[index].textContent.trim());
    }"""
    return list(page.evaluate(script, [caption, index]))


BOARD = "full ranking by NDCG@10"


def board(page: Any) -> Any:
    return page.locator("table", has=page.locator("caption", has_text=BOARD)).first


def numbers(page: Any, index: int) -> list[float]:
    """Of the board; what is not finished has none, and stands below."""
    texts = column(page, BOARD, index)
    assert texts.pop() == "–"
    return [float(text.split(" ")[0]) for text in texts]


def test_nothing_of_a_strange_name_is_executed(opened: Any) -> None:
    page = opened()
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    for mark in page.locator("[data-tip]:visible").all()[:40]:
        mark.hover(force=True)
    assert page.evaluate("window.hit") is None
    assert page.locator("body img").count() == 0


def test_rows_are_ordered_by_click_and_by_keyboard(opened: Any) -> None:
    page = opened()
    head = board(page).locator("thead th")
    hits = head.nth(4)
    hits.locator("button").click()
    values = numbers(page, 4)
    assert hits.get_attribute("aria-sort") == "descending"
    assert values == sorted(values, reverse=True)
    hits.locator("button").focus()
    page.keyboard.press("Enter")
    assert hits.get_attribute("aria-sort") == "ascending"
    assert numbers(page, 4) == sorted(values)
    name = head.nth(1)
    name.locator("button").press("Space")
    assert (name.get_attribute("aria-sort"), hits.get_attribute("aria-sort")) == ("ascending", None)
    known = {"gone", "grasp/softmax", "none", "popularity °"}
    names = [text for text in column(page, BOARD, 1) if text in known]
    assert names == sorted(names)


def test_blanks_stay_below_in_both_directions(opened: Any) -> None:
    page = opened()
    button = board(page).locator("thead button").first
    for _ in range(2):
        button.click()
        places = column(page, BOARD, 0)
        assert places[-1] == "–"
        assert places[0] != "–"


def test_a_filter_hides_rows(opened: Any) -> None:
    page = opened()
    everything = column(page, BOARD, 1)
    box = page.locator("#board input[type=search]").first
    box.fill("noise=0.2 GRASP")
    assert column(page, BOARD, 1) == ["grasp (noise=0.2)"]
    box.fill("")
    assert column(page, BOARD, 1) == everything


def test_the_theme_follows_the_system_until_it_is_chosen_and_is_then_remembered(opened: Any) -> None:
    page = opened(color_scheme="dark")
    background = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(background)
    button = page.get_by_role("button", name="Light theme")
    button.click()
    light = page.evaluate(background)
    assert (dark, light) == ("rgb(20, 24, 29)", "rgb(255, 255, 255)")
    page.reload()
    assert page.evaluate(background) == light
    page.get_by_role("button", name="Dark theme").click()
    assert page.evaluate(background) == dark
    assert opened(color_scheme="light").evaluate(background) == light


def test_charts_have_their_numbers_as_a_table(opened: Any, whole: Path) -> None:
    page = opened()
    curve = json.loads((whole / "tuning.json").read_text())["curves"][0]
    figure = page.locator("#tuning figure").filter(has_text="[95 % CI]").first
    table = figure.locator("table")
    assert not table.is_visible()
    figure.get_by_text("The numbers as a table").click()
    assert table.is_visible()
    shown = [text.split(" ")[0] for text in table.locator("tbody tr td:nth-child(2)").all_inner_texts()]
    assert shown == [f"{100 * point['mean']:.2f}" for point in curve["points"]]


def test_a_tip_tells_the_number_of_a_mark(opened: Any) -> None:
    page = opened()
    mark = page.locator("#ablations .wide path[data-tip]").first
    mark.hover()
    tip = page.locator("#tip")
    assert tip.inner_text() == mark.get_attribute("data-tip")
    page.mouse.move(2, 2)
    assert not tip.is_visible()


def test_a_phone_needs_no_sideways_scrolling_and_text_has_contrast(opened: Any) -> None:
    assert_fits_with_contrast(opened())


def test_every_picture_field_and_landmark_has_a_name(opened: Any) -> None:
    page = opened()
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    shown = page.locator("svg:visible").count()
    assert shown > 20
    assert page.get_by_role("img").count() == shown
    assert all(each.get_attribute("aria-label") for each in page.locator("svg").all())
    assert page.get_by_role("searchbox").count() == page.get_by_label("Filter rows").count() > 0
    assert page.get_by_role("main").count() == page.get_by_role("banner").count() == 1
    assert page.get_by_role("navigation", name="Contents").count() == 1


def test_keyboard_reaches_the_findings_and_focus_is_seen(opened: Any) -> None:
    page = opened()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("Tab")
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert page.evaluate(outline) == "solid"


def test_letters_of_charts_do_not_shrink_on_a_phone(opened: Any) -> None:
    page = opened(viewport=PHONE)
    heights = page.evaluate(
        "[...document.querySelectorAll('.narrow svg')].filter((s) => s.getClientRects().length)"
        ".map((s) => s.getBoundingClientRect().width / s.viewBox.baseVal.width)"
    )
    assert len(heights) > 20
    assert min(heights) > 0.9
