"""`results/<spec>/study.json`: what the spec asked, beside the answers, so that boards need no spec file.

    {"format": 1,
     "name": "beauty_ablation", "description": "…",
     "rank_by": "full" | "sampled",        which protocol the board ranks by
     "metric": "NDCG@10",                  which metric
     "hypotheses": [{"better": "grasp", "than": "none", "metric": "NDCG@10", "protocol": "full"}],
     "planned": [{"slug": "sasrec-grasp-s42", "dataset": …, "backbone": …, "enhancer": …, "ablation": null,
                  "noise": null, "variant": {}, "seed": 42, "hash": "…", "protocol_hash": "…"}],
     "tuned": {"sasrec+grasp": {"values": {…}, "trials": 12, "seconds": 540.0, "validation": 0.031}},
                                           what a search found; absent where nothing was searched
     "looks": [3, 5, 8, 12],               trainings at each look, where seeds are added; absent where not
     "cards": {"amazon-beauty": {…}},      dataset cards by dataset, or split: "toy (min_user=5)"
     "files": {"groups-….parquet": "…"},   hashes of what lies beside it for all cells; may be absent
     "published": {"source": {…}, "settings": {…}, "seeds": […], "notes": […],      or null
                   "datasets": {"amazon-beauty": {"name": "Beauty", "facts": {…}, "rows": [
                       {"table": "Table 2", "backbone": "sasrec", "enhancer": "none", "ablation": null,
                        "group": "overall", "figures": {"NDCG@10": 0.3058}}],
                       "sourced": [{"label": "TIGER", "source": {…}, "ranking": "full", "loss": null,
                        "backbone": null, "enhancer": null, "control": null, "figures": {…}}]}}}}

`published` holds the figures that the spec names, as fractions, of the datasets that it has: the tables of
one source as `rows`, rows that have each a source of its own as `sourced` (absent from older files).
`planned` entries hold the identity keys of `cell.json`. `hash` and `protocol_hash` may be absent; where
`hash` is given, a result folder with another one is out of date and left off the board.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grasp_bench.components import DATASETS
from grasp_bench.core import hashing
from grasp_bench.core.errors import DataError
from grasp_bench.core.published import hint, read_object

if TYPE_CHECKING:  # a cached board is shown without pydantic
    from grasp_bench.spec.experiment import Experiment
    from grasp_bench.spec.published import PublishedFigures

FILE = "study.json"
FORMAT = 1
OWN_SETTINGS = "own_settings"  # the ablation of a tuned spec that has no tuned values
IDENTITY = (
    "slug", "kind", "name", "dataset", "backbone", "enhancer", "ablation", "noise", "variant", "seed",
    "hash", "protocol_hash",
)  # fmt: skip


@dataclass(frozen=True)
class Study:
    """The questions of one spec. `planned` is None when no study.json tells: then what is there counts."""

    name: str
    description: str
    rank_by: str
    metric: str
    hypotheses: tuple[Mapping[str, str], ...]
    planned: tuple[Mapping[str, Any], ...] | None
    cards: Mapping[str, Any]
    published: Mapping[str, Any] | None = None
    looks: tuple[int, ...] = ()
    tuned: Mapping[str, Any] = field(default_factory=dict)


def looks_of(experiment: Experiment) -> tuple[int, ...]:
    """Trainings that a method has at each look at the hypotheses; none where seeds are a list."""
    seeds = experiment.seeds
    if isinstance(seeds, tuple):
        return ()
    from grasp_bench.stats.correction import looks_at  # imports numpy

    return looks_at(seeds.least, seeds.most)


def write_study(
    folder: Path,
    experiment: Experiment,
    planned: Iterable[Mapping[str, Any]],
    cards: Mapping[str, Mapping[str, Any]] | None = None,
    published: PublishedFigures | None = None,
    files: Mapping[str, str] | None = None,
) -> Path:
    """Write study.json into `results/<spec>` atomically and return its path.

    `planned` has one mapping a cell with the identity keys of cell.json; other keys are ignored.
    `cards` maps the name of a dataset, or of one of its splits, to its card.json; `published` are the figures
    that the spec names; `files` are the hashes of files beside it.
    """
    planned = list(planned)
    protocol = experiment.dataset.protocol
    cutoff = 10 if 10 in protocol.cutoffs else protocol.cutoffs[-1]
    path, looks = folder / FILE, looks_of(experiment)
    hashing.write(
        path,
        {
            "format": FORMAT,
            "name": experiment.name,
            "description": experiment.description,
            "rank_by": "full" if protocol.also_full_ranking else "sampled",
            "metric": f"NDCG@{cutoff}",
            "hypotheses": [hypothesis.model_dump() for hypothesis in experiment.hypotheses],
            "planned": [{key: cell[key] for key in IDENTITY if key in cell} for cell in planned],
            **({"looks": list(looks)} if looks else {}),
            **({"tuned": tuned} if (tuned := _tuned(experiment)) else {}),
            "cards": dict(cards or {}),
            "files": dict(files or {}),
            "published": _published(published, {str(cell["dataset"]) for cell in planned}),
        },
    )
    return path


def _tuned(experiment: Experiment) -> dict[str, Any]:
    return {name: found.model_dump(mode="json") for name, found in experiment.tuned.items()}


def _published(figures: PublishedFigures | None, datasets: Iterable[str]) -> dict[str, Any] | None:
    """What the spec names; nothing stands beside a generated dataset, on which a real spec is rehearsed."""
    if figures is None:
        return None
    content, real = figures.content, sorted(set(datasets) - {DATASETS.default})
    named = {ours: theirs for ours in real if (theirs := figures.dataset_for(ours))}
    return {
        **content.model_dump(mode="json", include={"source", "settings", "seeds", "notes"}),
        "datasets": {
            ours: {
                "name": theirs,
                "facts": content.datasets[theirs].model_dump(mode="json", exclude_none=True),
                "rows": [asdict(row) for row in figures.rows(theirs)],
                "sourced": figures.sourced(theirs),
            }
            for ours, theirs in named.items()
        },
    }


def read_study(folder: Path) -> Study:
    """Read study.json; without one, whatever cells lie there are the study, and nothing is declared."""
    path = folder / FILE
    if not path.is_file():
        return Study(folder.name, "", "full", "NDCG@10", (), None, {})
    content = read_object(path)
    try:
        return Study(
            name=content["name"],
            description=content["description"],
            rank_by=content["rank_by"],
            metric=content["metric"],
            hypotheses=tuple(content["hypotheses"]),
            planned=tuple(content["planned"]),
            cards=content["cards"],
            published=content.get("published"),
            looks=tuple(content.get("looks") or ()),
            tuned=content.get("tuned") or {},
        )
    except KeyError as error:
        raise DataError(f"{path}: key {error} is missing", hint=hint(FILE)) from None
