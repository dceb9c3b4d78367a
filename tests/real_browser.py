"""A real headless Chromium, where the machine has one: tests in it are skipped elsewhere, and say so."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# As root in a container, and without the calls home that a closed network refuses.
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}

# The least contrast of any visible text with what lies behind it, and where that is (WCAG 2.2, 1.4.3).
CONTRAST = """
() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => {
    const linear = (v) => v <= 10.3 ? v / 3294.6 : ((v / 255 + 0.055) / 1.055) ** 2.4;
    const [x, y, z] = [r, g, b].map(linear);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const ratio = (a, b) => {
    const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x);
    return (light + 0.05) / (dark + 0.05);
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const probe = document.createElement("i");
  document.body.append(probe);
  const accent = (probe.style.color = "var(--accent)", parse(getComputedStyle(probe).color));
  const ink = getComputedStyle(document.body).color;
  let worst = { ratio: 99 };
  const see = (element, ink, paper) => {
    const found = ratio(ink, paper);
    if (found < worst.ratio) worst = { ratio: found, text: element.textContent.trim().slice(0, 60) };
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.data.trim() || !element.getClientRects().length || element.closest("script, style")) continue;
    const style = getComputedStyle(element);
    const drawn = element.closest("svg");
    const paper = behind(drawn ? drawn.parentElement : element);
    see(element, parse(drawn ? style.fill : style.color), paper);
    // Ink may stand on the fullest square of a grid: the accent, as opaque as it gets, over the paper.
    const shade = paper.slice(0, 3).map((v, k) => 0.42 * accent[k] + 0.58 * v);
    if (drawn && style.fill === ink) see(element, parse(style.fill), shade);
  }
  probe.remove();
  return worst;
}
"""


def browser_path() -> str | None:
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


needs_browser = pytest.mark.skipif(browser_path() is None, reason=f"no browser: {', '.join(BROWSERS)}")


def assert_fits_with_contrast(page: Any) -> None:
    """All of a page, on a phone and on a desktop, light and dark."""
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    for size in (PHONE, DESKTOP):
        page.set_viewport_size(size)
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], size
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            worst = page.evaluate(CONTRAST)
            assert worst["ratio"] >= 4.5, (size, scheme, worst)
