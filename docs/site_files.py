"""Put the files that pages link to outside docs/ on the website: the README, boards, specs.

MkDocs accepts links within its folder only, and the pages must also read well in the repository. Each file
outside that a page links to is therefore added to the site at the same path, and links lose their `../` or
`docs/`.
"""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
PATHS = {"README.md": "tour.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
LINK = re.compile(r"\]\(([^)#:\s]+)(?=[)#])")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages beside docs/, and each file outside docs/ that a page links to."""
    added = set(PATHS)
    for text in [page.content_string for page in files.documentation_pages()]:
        added |= {link.removeprefix("../") for link in LINK.findall(text) if link.startswith("../")}
    for name in PATHS:
        links = LINK.findall((ROOT / name).read_text(encoding="utf-8"))
        added |= {link for link in links if not link.startswith("docs/")}
    for name in sorted(added):
        files.append(File.generated(config, PATHS.get(name, name), abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Rewrite links to the paths on the site."""
    return LINK.sub(_on_site, markdown)


def _on_site(link: re.Match[str]) -> str:
    path = link[1].removeprefix("../").removeprefix("docs/")
    return f"]({PATHS.get(path, path)}"
