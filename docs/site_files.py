"""Put what pages link to outside docs/ on the website: boards, specs, and CONTRIBUTING.md.

MkDocs accepts links within its folder alone, and the pages shall read well in the repository, too. So each
file outside that a page links to is added to the site at the same path, and links lose their `../` or `docs/`.
"""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
OUTSIDE = re.compile(r"\]\(\.\./([^)#\s]+)")  # in a page of docs/
INSIDE = re.compile(r"\]\(docs/")  # in a page beside docs/
MOVED = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md", "README.md": "tour.md"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files that pages link to outside docs/, and CONTRIBUTING.md, which the navigation names."""
    wanted = {"CONTRIBUTING.md"}
    for page in files.documentation_pages():
        wanted |= set(OUTSIDE.findall(page.content_string))
    for name in sorted(wanted):
        path = MOVED.get(name, name)
        files.append(File.generated(config, path, abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Rewrite links so that they stay on the site."""
    linked = OUTSIDE.sub(lambda found: f"]({MOVED.get(found[1], found[1])}", INSIDE.sub("](", markdown))
    return re.sub(r"\]\((CONTRIBUTING|CHANGELOG|README)\.md", lambda found: f"]({MOVED[found[1] + '.md']}", linked)
