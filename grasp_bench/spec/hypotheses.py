"""Check that declared hypotheses name methods, metrics and protocols of the spec.

Without this check a misspelt method shows only on the board, after all the training.
"""

from __future__ import annotations

from dataclasses import dataclass

from grasp_bench.core.words import did_you_mean, listed
from grasp_bench.spec.experiment import Experiment
from grasp_bench.spec.problems import Problems
from grasp_bench.spec.tree import Node, locate

Method = tuple[str, str, str | None]  # backbone, enhancer, ablation


@dataclass(frozen=True)
class Methods:
    """The methods of a spec; not `complete` when there were too many combinations to build all.

    `named` are rows without a model: controls and imported runs.
    """

    found: frozenset[Method]
    named: frozenset[str]
    complete: bool

    def names(self) -> list[str]:
        """Return every name of each method: `grasp/softmax` and `sasrec+grasp/softmax`."""
        short = {
            (backbone, f"{name}/{ablation}" if ablation else name) for backbone, name, ablation in self.found
        }
        return sorted(
            self.named | {name for _, name in short} | {f"{backbone}+{name}" for backbone, name in short}
        )


def check_hypotheses(experiment: Experiment, methods: Methods, tree: Node, problems: Problems) -> None:
    """Note hypotheses about unknown methods, cutoffs or protocols, and `seeds.until` without hypotheses."""
    if not experiment.hypotheses and not isinstance(experiment.seeds, tuple):
        path = ("seeds", "until")
        problems.add(
            locate(tree, path).node.place, path,
            "there are no hypotheses to decide; declare some or give a list of seeds",
        )  # fmt: skip
    names = methods.names()
    known = frozenset(names)
    protocol = experiment.dataset.protocol
    for index, hypothesis in enumerate(experiment.hypotheses):
        wrong: dict[str, str] = {}
        for side, given in (("better", hypothesis.better), ("than", hypothesis.than)):
            name = given.partition(" (")[0]  # a board's label may add the variant: "grasp (max_len=50)"
            if methods.complete and name not in known:
                hint = (did_you_mean(name, names) or f"; there are: {listed(names)}") if problems.room else ""
                wrong[side] = f"no method '{given}' in this spec{hint}"
        if hypothesis.better == hypothesis.than:
            wrong["than"] = f"'{hypothesis.than}' is compared with itself"
        if int(hypothesis.metric.partition("@")[2]) not in protocol.cutoffs:
            wrong["metric"] = f"{hypothesis.metric} is not among dataset.protocol.cutoffs"
        if hypothesis.protocol == "full" and not protocol.also_full_ranking:
            wrong["protocol"] = "'full' needs dataset.protocol.also_full_ranking"
        rates = (0.0,) if experiment.noise is None else experiment.noise.rates
        labels = all(" (" in given for given in (hypothesis.better, hypothesis.than))
        if hypothesis.noise not in rates and not labels:
            told = ", ".join(f"{rate:g}" for rate in rates)
            wrong["noise"] = (
                f"{hypothesis.noise:g} is not among noise.rates ({told}); name one of them, or add it there"
            )
        for key, message in wrong.items():
            place = locate(tree, ("hypotheses", index, key)).node.place
            problems.add(place, ("hypotheses", index, key), message)
