"""Check the patches (`compare`, `ablations`, `tuning.space`) and the hypotheses of a spec when it is loaded.

A cell may run hours later, and the board names methods after all the training: an invalid patch or a misspelt
method is reported now, at its line and column.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from grasp_bench.components import ENHANCERS
from grasp_bench.core.errors import SpecError
from grasp_bench.core.words import did_you_mean, listed
from grasp_bench.spec.controls import SHUFFLED, controls_asked
from grasp_bench.spec.experiment import Experiment
from grasp_bench.spec.patches import CELL, PATCH, SECTIONS, Patcher
from grasp_bench.spec.problems import Problem, Problems, dotted
from grasp_bench.spec.tree import Entry, Node, Part, Place, locate, plain
from grasp_bench.spec.tuning_space import MOST_VALUES, check_space, told_values
from grasp_bench.spec.validation import Finding

FIXED = frozenset(Experiment.model_fields) - frozenset(SECTIONS)
LONGEST_NAME = 80  # of an ablation, as of a spec
MAX_COMBINATIONS = 500  # beyond these the plan finds what only goes wrong in combination


def check_patches(
    experiment: Experiment, tree: Node, problems: Problems, doubtful: Sequence[tuple[str, ...]] = ()
) -> None:
    """Note every wrong key and value in compare, ablations and tuning.

    `doubtful` are invalid paths of the base; keys of patches below them are not checked.
    """
    _check_names(tree, problems)
    _check_ranges(tree, problems)
    if (excess := too_many(experiment)) is not None:
        problems.add(locate(tree, excess.path).key_place, excess.path, excess.message)
        return
    base = Patcher(experiment, Place(""))
    unsure = tuple(".".join(path) + "." for path in doubtful)
    same: dict[tuple[str, ...], Patch] = {}
    for patch in _patches(tree):
        entries = {key: entry for key, entry in patch.entries.items() if not key.startswith(unsure)}
        made = _check(base, patch.above, entries, problems)
        if made is None or patch.among is None:
            continue
        first = same.setdefault(
            (patch.among, *sorted(entries), made.model_dump_json(include=set(CELL))), patch
        )
        if first is not patch:
            problems.add(patch.place, patch.path, f"the same as {dotted(first.path)}{_where(first.place)}")


def check_combinations(experiment: Experiment, tree: Node, problems: Problems) -> None:
    """Note problems of patches in combination, and hypotheses about unknown methods."""
    methods = _build_cells(experiment, tree, problems)
    _check_tuned(experiment, methods, tree, problems)
    if not problems.found:
        check_hypotheses(experiment, methods, tree, problems)


@dataclass(frozen=True)
class Patch:
    """One patch of a spec and its place; patches with the same `among` must differ from each other."""

    above: str
    entries: Mapping[str, Entry]
    path: tuple[Part, ...]
    place: Place
    among: str | None


def _patches(tree: Node) -> Iterator[Patch]:
    """Yield all patches of a spec."""
    for key, entry in _entries(tree, "compare"):
        for index, value in enumerate(_items(entry.node)):
            entries = {key: Entry(entry.key_place, value)}
            yield Patch("compare", entries, ("compare", key, index), value.place, f"compare {key}")
    for name, entry in _entries(tree, "ablations"):
        if isinstance(entry.node.value, dict):
            path = ("ablations", name)
            yield Patch(dotted(path), entry.node.value, path, entry.key_place, "ablations")
    for name, _ in _entries(tree, "tuned"):
        above = ("tuned", name, "values")
        if (found := locate(tree, above)).whole and isinstance(found.node.value, dict):
            yield Patch(dotted(above), found.node.value, above, found.key_place, None)
    for key, entry in _entries(tree, "tuning", "space"):
        values = _items(entry.node)
        for value in values[: len(told_values([plain(each) for each in values]))][:MOST_VALUES]:
            entries = {key: Entry(entry.key_place, value)}
            yield Patch("tuning.space", entries, ("tuning", "space", key), value.place, None)


def _where(place: Place) -> str:
    return f" at {place.line}:{place.column}" if place.line else ""


def _check_names(tree: Node, problems: Problems) -> None:
    """Check names of ablations, which are part of file names; the reader has checked their characters."""
    for name, entry in _entries(tree, "ablations"):
        if name != name.strip():
            problems.add(entry.key_place, ("ablations", name), "the name begins or ends with a space")
        if len(name) > LONGEST_NAME:
            text = f"the name has {len(name)} characters; at most {LONGEST_NAME} are allowed"
            problems.add(entry.key_place, ("ablations", name), text)


def _entries(tree: Node, *path: str) -> list[tuple[str, Entry]]:
    found = locate(tree, path)
    return list(found.node.value.items()) if found.whole and isinstance(found.node.value, dict) else []


def _items(node: Node) -> list[Node]:
    return [item for item in node.value if not item.broken] if isinstance(node.value, list) else []


def _check(base: Patcher, above: str, patch: Mapping[str, Entry], problems: Problems) -> Experiment | None:
    """Apply one patch to the base and note its problems under the path of the patch.

    Returns the patched experiment if the whole patch is valid.
    """
    found = Problems(explained=problems.room)
    allowed = {}
    for key, entry in patch.items():
        if key.split(".")[0] in FIXED:
            found.add(entry.key_place, key, f"cannot vary; a patch may name {', '.join(SECTIONS)}")
        else:
            allowed[key] = entry
    built = base.build(allowed, found) if problems.room and (allowed or not patch) else []
    if not isinstance(built, Experiment):
        # Findings elsewhere come from a combination that other patches may complete.
        found.extend(each for each in built if any(_concerns(each, key) for key in allowed))
    problems.extend(Problem(each.place, f"{above}.{each.key}", each.message) for each in found.found)
    return built if isinstance(built, Experiment) and not found.found else None


def _concerns(finding: Finding, key: str) -> bool:
    """Return whether a finding is about a value of the patch, or about one missing beside it."""
    if finding.missing and finding.key.rpartition(".")[0] == key.rpartition(".")[0]:
        return True
    return finding.key == key or finding.key.startswith((f"{key}.", f"{key}["))


def _check_ranges(tree: Node, problems: Problems) -> None:
    """Check that compared keys have values, and that searched ones have a range or a choice."""
    for key, entry in _entries(tree, "compare"):
        if entry.node.value == []:
            problems.add(entry.node.place, ("compare", key), "needs at least one value")
    check_space(tree, problems)


def _build_cells(experiment: Experiment, tree: Node, problems: Problems) -> Methods:
    """Build the compared cells and their ablations, and note each new problem once.

    Returns the methods of the spec, whose names hypotheses may use.
    """
    said: set[str] = set()
    methods: set[Method] = set()
    base, names = Patcher(experiment), (None, *experiment.ablations)
    combinations = (
        (name, dict(zip(experiment.compare, values, strict=True)))
        for values in itertools.product(*experiment.compare.values())
        for name in names
    )
    there_are = math.prod(len(values) for values in experiment.compare.values()) * len(names)
    for ablation, cell in itertools.islice(combinations, MAX_COMBINATIONS):
        try:
            model = base.apply(experiment.cell_patch(cell, ablation)).model
        except SpecError as error:
            new = [line for line in error.problems if line not in said]
            said.update(new)
            path = ("ablations", ablation) if ablation else ("compare",)
            where = ", ".join(f"{key}: {json.dumps(value)}" for key, value in cell.items())
            for line in new:
                text = line.removeprefix(f"{PATCH}").lstrip(": ") + (f" (with {where})" if where else "")
                problems.add(locate(tree, path).key_place, path, text)
        else:
            methods.add((model.backbone, model.enhancer, ablation))
    named = _controls(experiment, methods, tree, problems) | {run.name for run in experiment.imported}
    return Methods(frozenset(methods), named, complete=there_are <= MAX_COMBINATIONS)


def _check_tuned(experiment: Experiment, methods: Methods, tree: Node, problems: Problems) -> None:
    """Check that `tuned` names methods of the spec, and no key that is compared."""
    known = [
        f"{backbone}+{name}" + (f"/{ablation}" if ablation else "")
        for backbone, name, ablation in methods.found
    ]
    for name, tuned in experiment.tuned.items():
        place = locate(tree, ("tuned", name)).key_place
        if methods.complete and name not in known:
            hint = did_you_mean(name, known) or f"; there are: {listed(sorted(known))}"
            problems.add(place, ("tuned", name), f"no method '{name}' in this spec{hint}")
        for key in tuned.values.keys() & experiment.compare.keys():
            path = ("tuned", name, "values", key)
            problems.add(
                locate(tree, path).key_place, path, "is also compared: remove it from one of the two"
            )


def _controls(experiment: Experiment, methods: set[Method], tree: Node, problems: Problems) -> frozenset[str]:
    """Return the names of untrained controls; add methods with shuffled embeddings to `methods`."""
    bases = {(backbone, name) for backbone, name, ablation in methods if ablation is None}
    reading = {base for base in bases if ENHANCERS.get(base[1]).reads}
    try:
        asked = controls_asked(experiment.controls, embeddings=bool(reading))
    except ValueError as error:
        problems.add(locate(tree, ("controls",)).key_place, ("controls",), str(error))
        return frozenset()
    if SHUFFLED in asked:
        methods |= {(*base, SHUFFLED) for base in bases if ENHANCERS.get(base[1]).shuffled_control}
    return frozenset(asked) - {SHUFFLED}


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
        text = "there are no hypotheses to decide; declare some or give a list of seeds"
        problems.add(locate(tree, path).node.place, path, text)
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
            there = ", ".join(f"{rate:g}" for rate in rates)
            wrong["noise"] = (
                f"{hypothesis.noise:g} is not among noise.rates ({there}); name one of them, or add it there"
            )
        for key, message in wrong.items():
            place = locate(tree, ("hypotheses", index, key)).node.place
            problems.add(place, ("hypotheses", index, key), message)


MAX_CELLS = 10_000


@dataclass(frozen=True)
class Excess:
    """A problem: more cells than a spec may have; `path` is the largest factor."""

    path: tuple[str, ...]
    message: str


def too_many(experiment: Experiment) -> Excess | None:
    """Check compared values × (base + ablations) × rates × seeds + imported runs against `MAX_CELLS`."""
    factors: dict[tuple[str, ...], int] = {
        ("compare", key): len(values) for key, values in experiment.compare.items()
    }
    factors |= {("ablations",): 1 + len(experiment.ablations), ("seeds",): len(experiment.all_seeds)}
    if experiment.noise is not None:
        factors["noise", "rates"] = len(experiment.noise.rates)
    runs: dict[tuple[str, ...], int] = {("imported",): len(experiment.imported)}
    asked = math.prod(factors.values()) + len(experiment.imported)
    if asked <= MAX_CELLS:
        return None
    counts = factors | runs
    sizes = ", ".join(f"{dotted(path)} {count:,}" for path, count in counts.items() if count > 1)
    return Excess(
        max(counts, key=lambda path: counts[path]),
        f"the spec has {asked:,} cells ({sizes}); at most {MAX_CELLS:,} are allowed: vary less, or write "
        "several specs",
    )
