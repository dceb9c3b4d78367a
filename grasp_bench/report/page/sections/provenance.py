"""Where every number is from: runs, machines, versions, hashes, and how to make the page again."""

from __future__ import annotations

from grasp_bench.report.document import BLANK, Column, Entry, Table
from grasp_bench.report.page.material import PageMaterial
from grasp_bench.report.page.parts import Commands, Folded, Heading, PageSection, Part, Prose
from grasp_bench.report.page.studies import COMMANDS
from grasp_bench.report.schema import Ranking
from grasp_bench.report.sections.record import gaps_section, provenance_table, seed_table


def gaps(material: PageMaterial) -> PageSection | None:
    """What was planned and is not there; None where nothing is missing."""
    section = gaps_section(material.board)
    if section is None:
        return None
    return PageSection("missing", "What is missing", [Prose(section.lines, listed=True)])


def provenance_section(material: PageMaterial) -> PageSection:
    """How to reproduce first; then runs and hashes."""
    board = material.board
    parts: list[Part] = [Heading("How to reproduce"), Commands(_commands(material))]
    if board["rankings"]:
        known = "A finished cell is found by its hash and not computed again; seeds and versions are below."
        seeds = [
            seed_table(ranking, protocol, material.metric)
            for ranking in board["rankings"]
            for protocol in material.protocols(ranking)
        ]
        parts += [Prose([known]), Heading("Runs"), *map(_runs, board["rankings"])]
        parts.append(Folded("Every seed", seeds))
    parts += [Heading("Hashes"), _hashes(material)]
    return PageSection("provenance", "Provenance", parts)


def _commands(material: PageMaterial) -> list[str]:
    spec = f"specs/{material.board['name']}.yaml"
    studies = [f"{command} {spec}" for name, command in COMMANDS.items() if _has(material, name)]
    ran = material.board["rankings"] or material.board["missing"]
    return [*([f"grasp-bench run {spec}"] if ran else []), *studies, f"grasp-bench report {spec}"]


def _has(material: PageMaterial, study: str) -> bool:
    return f"{study}.json" in material.studies.hashes


def _runs(ranking: Ranking) -> Table:
    """The runs of a board, and the hash by which each is found."""
    table = provenance_table(ranking)
    runs = [run for row in ranking["rows"] for run in row["provenance"]]
    rows = [
        [*entries, Entry(str(run["hash"] or BLANK))] for entries, run in zip(table.rows, runs, strict=True)
    ]
    return Table(table.title, [*table.columns, Column("hash", "left")], rows, table.notes)


def _hashes(material: PageMaterial) -> Table:
    rows = [
        [Entry(f"protocol{material.suffix(ranking)}"), Entry(ranking["protocol_hash"])]
        for ranking in material.board["rankings"]
    ]
    rows.append([Entry("board"), Entry(material.board["key"])])
    rows += [[Entry(name), Entry(digest)] for name, digest in material.studies.hashes.items()]
    return Table(
        "Hashes of what this page was made from", [Column("of", "left"), Column("hash", "left")], rows
    )
