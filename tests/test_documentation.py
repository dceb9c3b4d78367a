"""Generated pages, and the names, links and commands in pages, agree with the code and with each other."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parent.parent
DOCS = REPOSITORY / "docs"
PAGES = [*sorted(REPOSITORY.glob("*.md")), *sorted(DOCS.glob("*.md"))]
PARTS = {"spec_intro.md"}  # pages that are part of another page


def test_the_page_of_the_spec_is_up_to_date() -> None:
    page = runpy.run_path(str(DOCS / "spec_page.py"))["page"]
    assert (DOCS / "spec.md").read_text() == page(), "run: python docs/spec_page.py"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_and_pictures_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:\s]*)(?:#([^)\s]*))?\)", page.read_text())
    assert links or page.name != "index.md"
    targets = [((page.parent / path) if path else page, anchor) for path, anchor in links]
    assert [str(target) for target, _ in targets if not target.exists()] == []
    assert [anchor for target, anchor in targets if anchor and anchor not in _anchors(target)] == []


def _anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as both GitHub and MkDocs write them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", each).strip().lower()) for each in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_files_that_pages_name_exist(page: Path) -> None:
    roots = r"grasp_bench|specs|benchmarks|tests|docs|results|leaderboard"
    named = re.findall(rf"`((?:{roots})/[\w/.]+\.(?:py|yaml|json|md))`", page.read_text())
    assert [name for name in named if not _exists(name)] == []


def _exists(name: str) -> bool:
    return (REPOSITORY / name).exists() or "/demo" in name  # the demo's results are made by its run


def test_the_navigation_of_the_site_lists_every_page() -> None:
    site = yaml.safe_load((REPOSITORY / "mkdocs.yml").read_text())
    listed = _pages(site["nav"])
    beside = {"tour.md", "contributing.md", "changelog.md"}  # added by docs/site_files.py
    assert sorted(listed) == sorted({page.name for page in DOCS.glob("*.md")} - PARTS | beside)
    assert (site["theme"]["font"], site["plugins"]) == (False, ["search"]), "nothing loads from other hosts"


def _pages(entry: Any) -> list[str]:
    if isinstance(entry, str):
        return [entry]
    inner = entry if isinstance(entry, list) else entry.values()
    return [page for each in inner for page in _pages(each)]


def test_the_tour_uses_commands_that_exist() -> None:
    from grasp_bench.cli.app import COMMANDS

    used = set(re.findall(r"^ *\$? *grasp-bench (\w+)", (REPOSITORY / "README.md").read_text(), re.MULTILINE))
    assert used <= set(COMMANDS)
    assert len(used) > 5
