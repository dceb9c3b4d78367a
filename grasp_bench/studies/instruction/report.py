"""Show a language model as a recommender by instruction."""

from __future__ import annotations

from grasp_bench.report.document import BLANK, Document, Section, Table
from grasp_bench.report.formatting import count, percent_with_interval, with_interval
from grasp_bench.report.studies import Study
from grasp_bench.studies.instruction.schema import Figure, Instruction, Method

SAMPLED = "A ranking among sampled candidates alone: not comparable with, and on no board of, full rankings."


def lay_out_instruction(found: Instruction) -> Document:
    """Arrange AUC, and the ranking among sampled candidates where there is one."""
    facts = [
        f"{found['model']} on {count(found['users'])} users of {found['dataset']}; labels: "
        f"{found['labels']} ({count(found['positives'])} positive); histories of at most {found['history']} "
        f"titles; LoRA on the last {found['tuned_layers']} layers, {found['epochs']} epochs, "
        f"{len(found['seeds'])} seeds."
    ]
    heads = ["method", "examples", "trainings", "AUC [95 % CI]"]
    rows = [
        [each["label"], count(each["examples"]), str(len(each["aucs"])), _auc(each["auc"])]
        for each in found["methods"]
    ]
    sections = [Section("Few-shot AUC on other users", [Table.of_texts("AUC", heads, rows)])]
    if found["negatives"] is not None:
        sections.append(_ranking(found, found["negatives"]))
    return Document(
        f"Instruction: {found['spec']}", facts, [*sections, Section("Notes", lines=found["notes"])]
    )


def _ranking(found: Instruction, negatives: int) -> Section:
    rows = [[each["label"], count(each["examples"]), *_ranks(each)] for each in found["methods"]]
    heads = ["method", "examples", "HR@10 [95 % CI]", "NDCG@10 [95 % CI]"]
    title = f"Test target among {negatives} stored negatives, percent"
    return Section("Ranking among sampled candidates", [Table.of_texts(title, heads, rows, [SAMPLED])])


def _ranks(method: Method) -> list[str]:
    figures = (method["hr"], method["ndcg"])
    return [BLANK if each is None else percent_with_interval(*_values(each)) for each in figures]


def _auc(figure: Figure) -> str:
    return with_interval(*_values(figure), digits=3)


def _values(figure: Figure) -> tuple[float, float, float]:
    return figure["mean"], figure["low"], figure["high"]


STUDY = Study(
    title="Instruction", command="grasp-bench instruct", schema=Instruction, document=lay_out_instruction
)
