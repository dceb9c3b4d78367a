"""Take the pictures of report pages in docs/pictures/ with a local headless Chromium, network off.

    python docs/take_pictures.py

The pages are made from results/. A picture whose results or section are missing is skipped with a message.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from grasp_bench.report.page.render import write_report

ROOT = Path(__file__).resolve().parent.parent
RESULTS, PICTURES = ROOT / "results", ROOT / "docs" / "pictures"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
WIDTH = 1280


@dataclass(frozen=True)
class Shot:
    """One picture: `height` pixels of a section, or its first `figures`."""

    name: str
    spec: str
    selector: str
    scheme: str = "light"
    height: int = 900
    width: int = WIDTH


SHOTS = (
    Shot("report_light", "beauty_ablation", "body"),
    Shot("report_dark", "beauty_ablation", "#board", "dark"),
    Shot("report_phone", "beauty_ablation", "body", "dark", height=844, width=390),
    Shot("ablations", "beauty_ablation", "#ablations", height=560),
    Shot("noise", "beauty_noise", "#noise figure >> nth=2", height=640),
    Shot("tuning", "beauty_tuning", "#tuning", height=1240),
    Shot("attention", "beauty_ablation", "#attention", height=700),
)


def take(browser: Browser, shot: Shot, pages: Path) -> str | None:
    """Take one picture; return the reason if it cannot be taken."""
    report = pages / f"{shot.spec}.report.html"
    if not (RESULTS / shot.spec).is_dir():
        return f"results/{shot.spec} is not there"
    if not report.is_file():
        write_report(RESULTS / shot.spec, report, pages)
    size = {"width": shot.width, "height": shot.height}
    context = browser.new_context(viewport=size, color_scheme=shot.scheme, offline=True)
    page = context.new_page()
    page.goto(report.as_uri())
    section = page.locator(shot.selector)
    if not section.count():
        return f"{report.name} has no {shot.selector}"
    box = section.bounding_box()
    assert box is not None
    margin = 0 if shot.selector == "body" else 16
    page.set_viewport_size({"width": shot.width, "height": int(box["y"] + box["height"]) + margin})
    left = max(0.0, box["x"] - margin) if shot.selector != "body" else 0.0
    clip = {
        "x": left, "y": max(0.0, box["y"] - margin), "width": shot.width - left,
        "height": min(shot.height, box["height"] + 2 * margin),
    }  # fmt: skip
    path = PICTURES / f"{shot.name}.png"
    page.screenshot(path=path, clip=clip)
    context.close()
    return None


def main() -> int:
    """Take all pictures; return 1 if there is no browser."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        print("no browser found:", ", ".join(BROWSERS))
        return 1
    PICTURES.mkdir(exist_ok=True)
    with sync_playwright() as play, tempfile.TemporaryDirectory() as pages:
        browser = play.chromium.launch(executable_path=found, args=ARGUMENTS)
        for shot in SHOTS:
            why = take(browser, shot, Path(pages))
            size = "" if why else f"{(PICTURES / f'{shot.name}.png').stat().st_size / 1e3:.0f} kB"
            print(f"{shot.name}: {f'left out, {why}' if why else size}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
