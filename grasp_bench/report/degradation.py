"""What methods lose under noise: curves, areas under them, where a method falls below its own backbone."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from grasp_bench.report.cells import ResultCell
from grasp_bench.report.findings.interval import Interval
from grasp_bench.report.methods import Method, label_methods, same_setting, touched_by_noise
from grasp_bench.report.partitions import Partition
from grasp_bench.report.schema import ALL_PAIRS_OF, Degradation, DropTest, NoiseCurve, NoisePoint
from grasp_bench.report.significance import pair_tests
from grasp_bench.report.user_values import UserValues
from grasp_bench.stats.correction import benjamini_hochberg
from grasp_bench.stats.figure import figure_interval
from grasp_bench.stats.pairing import Values, mean_over_seeds
from grasp_bench.stats.ratio import ratio_interval, ratio_of_means

NO_ENHANCER = "none"


@dataclass(frozen=True, eq=False)
class Course:
    """One method, as it is without noise, and its values by rate and seed, (users,) each.

    A method that notices no noise has the same values at every rate.
    """

    method: Method
    values: Mapping[float, Mapping[int, Values]]
    rates: Sequence[float]
    constant: bool

    @cached_property
    def seeds(self) -> list[int]:
        """Those that it has at every rate that it has."""
        return sorted(set.intersection(*(set(of_seed) for of_seed in self.values.values())))

    def at(self, rate: float, seeds: Sequence[int]) -> list[Values]:
        """Values at a rate, one array a seed."""
        return [self.values[rate][seed] for seed in seeds]

    @property
    def whole(self) -> bool:
        """Whether every rate is there."""
        return all(rate in self.values for rate in self.rates)


def degradations(
    partition: Partition, protocols: Sequence[str], metric: str, values: UserValues
) -> list[Degradation]:
    """One for each kind of noise and protocol; none where nothing was run under noise.

    The lowest rate is 0 where it was run, and what drops are counted from.
    """
    kinds = sorted({method.noise_kind for method in partition.planned if method.noise})
    return [
        found
        for kind, protocol in itertools.product(kinds, protocols)
        if (found := _degradation(partition, kind, protocol, metric, values)) is not None
    ]


def _degradation(
    partition: Partition, kind: str, protocol: str, metric: str, values: UserValues
) -> Degradation | None:
    courses = _courses(partition, kind, protocol, metric, values)
    if not any(not course.constant for course in courses):
        return None
    labels = label_methods([course.method for course in courses])
    return Degradation(
        kind=kind.replace("+", ", ").replace("_", " "),
        metric=metric,
        protocol=protocol,
        rates=list(courses[0].rates),
        curves=[
            _curve(course, labels[course.method], _backbone_of(course.method, courses)) for course in courses
        ],
        drops=_drops([course for course in courses if not course.constant], labels),
    )


def _backbone_of(method: Method, courses: Sequence[Course]) -> Course | None:
    """Its backbone alone: under the same compared values, and the same ablation where it has that, too."""
    if method.enhancer == NO_ENHANCER:
        return None
    alone = {
        course.method.ablation: course
        for course in courses
        if course.method.enhancer == NO_ENHANCER and same_setting(method, course.method)
    }
    return alone.get(method.ablation, alone.get(None))


def _courses(partition: Partition, kind: str, protocol: str, metric: str, values: UserValues) -> list[Course]:
    """Trained methods with at least two rates, or that notice no noise, in the order of the plan."""
    noticing = touched_by_noise(partition.planned)
    touched = touched_by_noise([m for m in partition.planned if m.noise_kind == kind])
    rates = sorted({m.rate for m in partition.planned if m.noise_kind == kind or m in touched})
    courses = []
    for method in dict.fromkeys(m.clean for m in partition.planned if m.kind == "trained"):
        found: dict[float, Mapping[int, Values]] = {}
        for other, cells in partition.cells.items():
            of_seed = _values(cells, protocol, metric, values) if other.clean == method else {}
            if of_seed and other.noise_kind in ("", kind):
                found[other.rate] = of_seed
        constant = method not in noticing and 0.0 in found
        if constant:
            found = dict.fromkeys(rates, found[0.0])
        course = Course(method, found, rates, constant)
        if len(found) > 1 and course.seeds:
            courses.append(course)
    return courses


def _values(cells: Sequence[ResultCell], protocol: str, metric: str, values: UserValues) -> dict[int, Values]:
    return {
        cell.seed: values.of_cell(cell, protocol, metric)
        for cell in cells
        if cell.seed is not None and metric in (cell.metrics.get(protocol) or {}).get("overall", {})
    }


def _curve(course: Course, label: str, alone: Course | None) -> NoiseCurve:
    seeds, rates = course.seeds, [rate for rate in course.rates if rate in course.values]
    area = retained = None
    if course.whole:
        areas = [_area(rates, [course.values[rate][seed] for rate in rates]) for seed in seeds]
        area = _interval(areas)
        retained = _retained(areas, course.at(rates[0], seeds))
    below, words = (None, "") if alone is None else _below(course, alone, rates)
    return NoiseCurve(
        label=label,
        backbone=course.method.backbone,
        seeds=seeds,
        points=[NoisePoint(rate=rate, **_interval(course.at(rate, seeds))) for rate in rates],
        area=area,
        retained=retained,
        below=below,
        below_words=words,
        constant=course.constant,
    )


def _interval(values_SU: Sequence[Values]) -> Interval:
    found = figure_interval(values_SU)
    return Interval(mean=found.mean, low=found.low, high=found.high)


def _area(rates: Sequence[float], values_RU: Sequence[Values]) -> Values:
    """Mean over the range of rates of each user's value, by trapezoids."""
    area: Values = np.trapezoid(np.stack(values_RU), np.asarray(rates), axis=0)
    return area / (rates[-1] - rates[0])


def _retained(areas: Sequence[Values], clean: Sequence[Values]) -> Interval | None:
    """Share of the clean value that the area is; its interval redraws users, of seeds it knows nothing."""
    top, bottom = mean_over_seeds(areas), mean_over_seeds(clean)
    share, bounds = ratio_of_means(top, bottom), ratio_interval(top, bottom)
    if share is None:
        return None
    low, high = (None, None) if bounds is None else (bounds.low, bounds.high)
    return Interval(mean=share, low=low, high=high)


def _below(course: Course, alone: Course, rates: Sequence[float]) -> tuple[float | None, str]:
    """From which rate the method's mean stays below that of its backbone, on the seeds of both."""
    seeds = [seed for seed in course.seeds if seed in alone.seeds]
    if not seeds:
        return None, "no seed in common with its backbone"
    gaps = [
        float(mean_over_seeds(course.at(rate, seeds)).mean() - mean_over_seeds(alone.at(rate, seeds)).mean())
        for rate in rates
    ]
    if gaps[-1] >= 0:
        return None, f"not up to {rates[-1]:g}"
    last = max((k for k, gap in enumerate(gaps) if gap >= 0), default=None)
    if last is None:
        return rates[0], "at every rate"
    share = gaps[last] / (gaps[last] - gaps[last + 1])
    rate = rates[last] + share * (rates[last + 1] - rates[last])
    return rate, f"from {rate:.2f}"


def _drops(courses: Sequence[Course], labels: Mapping[Method, str]) -> list[DropTest]:
    """Pairs of methods at every rate above the lowest, corrected together (Benjamini–Hochberg)."""
    asked = []
    for a, b in _drop_pairs(courses):
        lowest, seeds = a.rates[0], [seed for seed in a.seeds if seed in b.seeds]
        if lowest not in a.values or lowest not in b.values or not seeds:
            continue
        for rate in a.rates[1:]:
            if rate in a.values and rate in b.values:
                first, second = (
                    mean_over_seeds(each.at(lowest, seeds)) - mean_over_seeds(each.at(rate, seeds))
                    for each in (a, b)
                )
                asked.append((labels[a.method], labels[b.method], rate, (first, second)))
    tests = pair_tests([drops for *_, drops in asked])
    adjusted = benjamini_hochberg([test["p_permutation"] for test in tests])
    return [
        DropTest(
            a=a, b=b, rate=rate, drop_a=float(drops[0].mean()), drop_b=float(drops[1].mean()),
            test=test, p_adjusted=p,
        )
        for (a, b, rate, drops), test, p in zip(asked, tests, adjusted, strict=True)
    ]  # fmt: skip


def _drop_pairs(courses: Sequence[Course]) -> list[tuple[Course, Course]]:
    """Every pair of a few methods; of many, each with the one that is best at the lowest rate."""
    if len(courses) <= ALL_PAIRS_OF:
        return list(itertools.combinations(courses, 2))
    there = [course for course in courses if course.rates[0] in course.values]
    best = max(there, key=_at_the_lowest_rate, default=None)
    return [] if best is None else [(course, best) for course in there if course is not best]


def _at_the_lowest_rate(course: Course) -> float:
    return float(mean_over_seeds(course.at(course.rates[0], course.seeds)).mean())
