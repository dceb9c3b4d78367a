"""The hypotheses that the spec declares, and what became of them."""

from __future__ import annotations

from grasp_bench.report.page.material import PageMaterial
from grasp_bench.report.page.parts import Folded, PageSection, Prose, Verdict, Verdicts
from grasp_bench.report.sections.evidence import claims_section


def hypotheses_section(material: PageMaterial) -> PageSection | None:
    """A verdict each, and all tests behind them; None where nothing was ranked and nothing declared."""
    section, claims = claims_section(material.board), material.board["claims"]
    if not claims and not material.board["rankings"]:
        return None
    if not claims:
        return PageSection("hypotheses", "Declared hypotheses", [Prose(section.lines)])
    verdicts = [
        Verdict(
            kind=claim["verdict"],
            statement=f"{claim['better']} > {claim['than']} by {claim['metric']} ({claim['protocol']})",
            words=f"{claim['words']}.",
        )
        for claim in claims
    ]
    tests = Folded("All tests", section.tables)
    return PageSection("hypotheses", "Declared hypotheses", [Verdicts(verdicts), tests])
