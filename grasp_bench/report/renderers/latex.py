"""The board as LaTeX tables (needs booktabs): best bold, second underlined."""

from __future__ import annotations

from grasp_bench.core.shown import shown
from grasp_bench.report.document import Document, Entry, Table
from grasp_bench.report.formatting import UNITS
from grasp_bench.report.schema import Board

_ESCAPES = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "±": r"$\pm$", "≈": r"$\approx$", "≥": r"$\geq$", "≤": r"$\leq$", "×": r"$\times$", "–": "--", "\n": " ",
}  # fmt: skip


def render(board: Board, document: Document) -> str:
    """One table environment for each table, headed by a comment; provenance is left to the other formats."""
    tables = [
        _table(table, table.title or section.title)
        for section in document.sections
        if section.title != "Provenance"
        for table in section.plain_tables
    ]
    return "\n".join(
        [f"% {shown(' '.join(document.title.split()))}: needs \\usepackage{{booktabs}}", *tables]
    )


def escape(text: str) -> str:
    """Make text literal in LaTeX."""
    return "".join(_ESCAPES.get(character, character) for character in shown(text))


def _table(table: Table, title: str) -> str:
    spec = "".join("r" if column.align == "right" else "l" for column in table.columns)
    head = " & ".join(escape(column.head) for column in table.columns)
    body = [f"{' & '.join(map(_entry, row))} \\\\" for row in table.rows]
    caption = escape(" ".join([f"{title}.", UNITS, *table.notes]))
    lines = [
        "\\begin{table}", "\\centering", f"\\caption{{{caption}}}",
        f"\\begin{{tabular}}{{{spec}}}", "\\toprule",
        f"{head} \\\\", "\\midrule", *body, "\\bottomrule", "\\end{tabular}", "\\end{table}", "",
    ]  # fmt: skip
    return "\n".join(lines)


def _entry(entry: Entry) -> str:
    text = escape(entry.text)
    marked = {"": text, "best": f"\\textbf{{{text}}}", "second": f"\\underline{{{text}}}"}[entry.mark]
    return f"{marked}$^{{\\approx}}$" if entry.tier else marked
