"""Probes as a document."""

from __future__ import annotations

from grasp_bench.report.document import BLANK, Document, Section, Table
from grasp_bench.report.findings.probe import Probe, Probes
from grasp_bench.report.probe_gains import gains_table
from grasp_bench.studies.wording import number, table

PROBES = {"logistic": "Logistic regression", "mlp": "Small MLP"}
DIGITS = 4


def lay_out_probes(found: Probes) -> Document:
    """A table a probe, the base first."""
    lines = [
        f"Click prediction on {found['dataset']}: {found['train_pairs']:,} pairs to learn from, "
        f"{found['test_pairs']:,} to predict. Base features: {', '.join(found['base'])}.",
    ]
    tables = [*(_table(found, probe) for probe in PROBES), gains_table(found)]
    sections = [Section("With and without learned states", tables), Section("Notes", lines=found["notes"])]
    return Document(f"Downstream probe: {found['spec']}", lines, sections)


def _table(found: Probes, probe: str) -> Table:
    rows = [_row(each) for each in found["probes"] if each["probe"] == probe]
    return table(PROBES[probe], ["cell", "AUC", "gain", "log-loss", "gain"], rows)


def _row(probe: Probe) -> list[str]:
    return [
        probe["cell"],
        _span(probe["auc"], probe["auc_low"], probe["auc_high"]),
        _gain(probe["auc_gain"], probe["auc_gain_low"], probe["auc_gain_high"]),
        _span(probe["log_loss"], probe["log_loss_low"], probe["log_loss_high"]),
        _gain(probe["log_loss_gain"], probe["log_loss_gain_low"], probe["log_loss_gain_high"]),
    ]


def _span(value: float, low: float, high: float) -> str:
    return f"{number(value, DIGITS)} [{number(low, DIGITS)}, {number(high, DIGITS)}]"


def _gain(value: float | None, low: float | None, high: float | None) -> str:
    if value is None or low is None or high is None:
        return BLANK
    return f"{value:+.{DIGITS}f} [{low:+.{DIGITS}f}, {high:+.{DIGITS}f}]"
