"""The boards in a real headless Chromium: what a reader clicks, and what the address then says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE
from real_browser import DESKTOP, assert_fits_with_contrast, needs_browser
from studies_written import EVIL
from web_server import serving

pytestmark = needs_browser


@pytest.fixture(scope="module")
def address(whole: Path) -> Iterator[str]:
    with serving(whole.parent) as running:
        yield running.address


@pytest.fixture
def opened(browser: Any, address: str) -> Iterator[Any]:
    """Opens a path in a fresh profile; nothing may be complained of, or asked of another host."""
    contexts, heard, asked = [], [], []

    def open_page(path: str = "/", **settings: Any) -> Any:
        context = browser.new_context(**{"viewport": DESKTOP, **settings})
        context.set_default_timeout(1000 * PATIENCE)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: heard.append(message.text))
        page.on("pageerror", lambda error: heard.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{address}{path}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert heard == []
    assert [url for url in asked if not url.startswith((f"{address}/", "data:,"))] == []


BOARD, GRASP = "/studies/toy_spec", "grasp (noise=0)"


def box(page: Any, method: str) -> Any:
    return page.get_by_role("checkbox", name=method, exact=True)


def methods(page: Any) -> list[str]:
    table = page.locator("table", has=page.locator("caption", has_text="full ranking by NDCG@10")).first
    return [text.strip() for text in table.locator("tbody th").all_inner_texts()]


def follow(page: Any, element: Any) -> None:
    """Click, and wait for the page that this asks for: a click alone may return while the old one stands."""
    with page.expect_navigation():
        element.click()


def test_a_study_is_found_by_words_and_opened(opened: Any, address: str) -> None:
    page = opened()
    page.get_by_label("words").fill("toy")
    page.keyboard.press("Enter")
    page.wait_for_url("**/?q=toy")  # empty fields stay out of the address
    follow(page, page.get_by_role("link", name="toy_spec"))
    assert page.url == f"{address}{BOARD}"
    follow(page, page.get_by_role("link", name="grasp-bench boards"))
    assert page.url == f"{address}/"


def test_two_ticks_compare_and_the_address_shows_the_same_again(opened: Any, address: str) -> None:
    page = opened(BOARD)
    box(page, GRASP).check()
    assert "?" not in page.url
    box(page, "none").check()
    page.wait_for_url("**method=*")
    pair = page.locator("#pair")
    told = pair.inner_text()
    assert "points of NDCG@10 (95 % interval" in told
    again = opened(page.url.removeprefix(address))
    assert again.locator("#pair").inner_text() == told
    assert box(again, GRASP).is_checked()
    follow(page, page.get_by_role("link", name="untick both"))
    assert page.locator("#pair").count() == 0
    page.go_back()
    assert page.locator("#pair").inner_text() == told


def test_a_choice_filters_at_once_and_keeps_the_ticks(opened: Any) -> None:
    page = opened(f"{BOARD}?method=none")
    whole = methods(page)
    page.get_by_role("combobox", name="enhancer").select_option("grasp")
    page.wait_for_url("**enhancer=grasp*")
    assert "method=none" in page.url  # hidden by the filter, and still ticked
    assert 0 < len(methods(page)) < len(whole)
    assert "none" not in methods(page)
    follow(page, page.get_by_role("link", name="Reset"))
    assert methods(page) == whole


def test_everything_works_without_scripts(opened: Any) -> None:
    page = opened(BOARD, java_script_enabled=False)
    box(page, GRASP).check()
    box(page, "none").check()
    page.get_by_role("combobox", name="ranking").select_option("sampled")
    follow(page, page.get_by_role("button", name="Show"))
    assert "sampled ranking" in page.locator("#pair").inner_text()
    assert "full ranking" not in page.locator("#pair").inner_text()


def test_nothing_of_a_strange_name_is_executed(opened: Any) -> None:
    for path in ("/", BOARD):
        page = opened(path)
        page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        if path == BOARD:
            box(page, EVIL).check()
            box(page, "none").check()
            page.wait_for_url("**method=*")
            assert f"none against {EVIL}" in page.locator("main").inner_text()
        assert page.evaluate("window.hit") is None
        assert page.locator("body img").count() == 0


def test_columns_sort_with_boxes_in_them(opened: Any) -> None:
    page = opened(BOARD)
    names = methods(page)
    page.get_by_role("button", name="method").first.click()
    assert sorted(methods(page)) == sorted(names)
    assert methods(page) != names


@pytest.mark.parametrize("path", ["/", f"{BOARD}?method=gone&method=none"])
def test_a_phone_needs_no_sideways_scrolling_and_text_has_contrast(opened: Any, path: str) -> None:
    assert_fits_with_contrast(opened(path))


def test_fields_have_names_and_the_keyboard_ticks(opened: Any) -> None:
    page = opened(BOARD)
    unnamed = [field for field in page.locator("select, input:visible").all() if not named(field)]
    assert unnamed == []
    box(page, GRASP).focus()
    page.keyboard.press("Space")
    assert box(page, GRASP).is_checked()


def named(field: Any) -> bool:
    return bool(field.evaluate("(each) => each.labels.length && each.labels[0].textContent.trim()"))
