"""Pages that are made from the code, and names that pages mention, agree with the code."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
PAGES = [*sorted(REPOSITORY.glob("*.md")), *sorted((REPOSITORY / "docs").glob("*.md"))]


def test_the_page_of_the_spec_is_up_to_date() -> None:
    page = runpy.run_path(str(REPOSITORY / "docs" / "spec_page.py"))["page"]
    assert (REPOSITORY / "docs" / "spec.md").read_text() == page(), "run: python docs/spec_page.py"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_and_pictures_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_files_that_pages_name_exist(page: Path) -> None:
    named = re.findall(r"`((?:grasp_bench|specs|benchmarks|tests)/[\w/.]+\.(?:py|yaml))`", page.read_text())
    assert [name for name in named if not (REPOSITORY / name).exists()] == []


def test_the_tour_uses_commands_that_exist() -> None:
    from grasp_bench.cli.app import COMMANDS

    used = set(re.findall(r"^ *\$? *grasp-bench (\w+)", (REPOSITORY / "README.md").read_text(), re.MULTILINE))
    assert used <= set(COMMANDS)
    assert len(used) > 5
