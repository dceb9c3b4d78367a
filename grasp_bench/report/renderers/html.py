"""The board as one HTML page that needs nothing else: best bold, second underlined, what few read folded."""

from __future__ import annotations

import html

from grasp_bench.core.shown import shown
from grasp_bench.report.document import Document, Entry, Section, Table
from grasp_bench.report.schema import Board

_STYLE = """
:root { color-scheme: light dark; font: 15px/1.45 system-ui, sans-serif; }
body { max-width: 78rem; margin: 2rem auto; padding: 0 1rem; }
h1 { margin-bottom: .2em; } h2 { margin-top: 2em; border-bottom: 1px solid #8886; }
.table { overflow-x: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: .6em 0 .3em; white-space: nowrap; }
th, td { padding: .15em .7em; text-align: right; white-space: nowrap; }
.left { text-align: left; } thead th { border-bottom: 2px solid #8888; }
tbody tr:hover { background: #8882; } .best { font-weight: 700; } .second { text-decoration: underline; }
.note { font-size: .87em; opacity: .8; max-width: 60rem; } summary { cursor: pointer; }
nav a { margin-right: 1em; white-space: nowrap; }
"""


def render(board: Board, document: Document) -> str:
    """A whole page: contents, then every section; all text is escaped, and nothing is loaded."""
    sections = list(enumerate(document.sections))
    links = [f'<a href="#s{index}">{escape(section.title)}</a>' for index, section in sections]
    blocks = [
        "<!doctype html>", '<html lang="en">', "<head>", '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(document.title)}</title>", f"<style>{_STYLE}</style>", "</head>", "<body>",
        f"<h1>{escape(document.title)}</h1>", *(f"<p>{escape(line)}</p>" for line in document.lines),
        f"<nav>{' '.join(links)}</nav>",
        *(block for index, section in sections for block in _section(index, section)),
        "</body>", "</html>",
    ]  # fmt: skip
    return "\n".join(blocks) + "\n"


def escape(text: str) -> str:
    """Make text literal in HTML, attributes included."""
    return html.escape(shown(text))


def _section(index: int, section: Section) -> list[str]:
    lines = [f"<li>{escape(line)}</li>" for line in section.lines]
    blocks = [
        *(["<ul>", *lines, "</ul>"] if lines else []),
        *(_table(table) for table in section.plain_tables),
    ]
    if section.folded:
        blocks = ["<details><summary>show</summary>", *blocks, "</details>"]
    return [f'<h2 id="s{index}">{escape(section.title)}</h2>', *blocks]


def _table(table: Table) -> str:
    classes = ["left" if column.align == "left" else "" for column in table.columns]
    head = "".join(
        _cell("th", escape(column.head), kind, scope="col")
        for column, kind in zip(table.columns, classes, strict=True)
    )
    rows = [
        "<tr>" + "".join(_entry(entry, kind) for entry, kind in zip(row, classes, strict=True)) + "</tr>"
        for row in table.rows
    ]
    caption = [f"<caption>{escape(table.title)}</caption>"] if table.title else []
    notes = [f'<p class="note">{escape(note)}</p>' for note in table.notes]
    return "\n".join(
        ['<div class="table"><table>', *caption, f"<thead><tr>{head}</tr></thead>", "<tbody>", *rows,
         "</tbody></table></div>", *notes]
    )  # fmt: skip


def _entry(entry: Entry, kind: str) -> str:
    text = escape(entry.text)
    if entry.mark:
        text = f'<span class="{entry.mark}">{text}</span>'
    return _cell("td", f"{text} ≈" if entry.tier else text, kind)


def _cell(tag: str, inner: str, kind: str, **attributes: str) -> str:
    given = attributes | ({"class": kind} if kind else {})
    written = "".join(f' {name}="{value}"' for name, value in given.items())
    return f"<{tag}{written}>{inner}</{tag}>"
