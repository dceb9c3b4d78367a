"""Measure what methods lose under noise: curves, areas, and where a method falls below its backbone."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from grasp_bench.report.comparable_cells import ComparableCells
from grasp_bench.report.methods import Method, label_methods, same_setting, touched_by_noise
from grasp_bench.report.schema import ALL_PAIRS_OF, Degradation, DropTest, Interval, NoiseCurve, NoisePoint
from grasp_bench.report.significance import is_measured
from grasp_bench.report.user_values import UserValues
from grasp_bench.stats.correction import benjamini_hochberg, of_known
from grasp_bench.stats.crossed import Terms, contrast
from grasp_bench.stats.intervals import figure_interval
from grasp_bench.stats.trainings import Trainings

NO_ENHANCER = "none"


@dataclass(frozen=True, eq=False)
class NoiseSeries:
    """One method, as it is without noise, and its values at each rate.

    A method that notices no noise has the same values at every rate.
    """

    method: Method
    values: Mapping[float, Trainings]
    rates: Sequence[float]
    constant: bool

    @property
    def whole(self) -> bool:
        """Whether every rate is there."""
        return all(rate in self.values for rate in self.rates)

    def drop(self, rate: float) -> Terms:
        """From the lowest rate to this one."""
        return [(1.0, self.values[self.rates[0]]), (-1.0, self.values[rate])]

    def area(self) -> Terms:
        """Mean over the range of rates, by trapezoids: a weighted sum of the values at the rates."""
        steps = np.diff(self.rates) / (self.rates[-1] - self.rates[0])
        weights = (np.append(steps, 0.0) + np.insert(steps, 0, 0.0)) / 2
        return [(float(w), self.values[rate]) for w, rate in zip(weights, self.rates, strict=True)]


def degradations(
    partition: ComparableCells, protocols: Sequence[str], metric: str, values: UserValues
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
    partition: ComparableCells, kind: str, protocol: str, metric: str, values: UserValues
) -> Degradation | None:
    series = _all_series(partition, kind, protocol, metric, values)
    if not any(not each.constant for each in series):
        return None
    labels = label_methods([each.method for each in series])
    return Degradation(
        kind=kind.replace("+", ", ").replace("_", " "),
        metric=metric,
        protocol=protocol,
        rates=list(series[0].rates),
        curves=[_curve(each, labels[each.method], _backbone_of(each.method, series)) for each in series],
        drops=_drops([each for each in series if not each.constant], labels),
    )


def _backbone_of(method: Method, series: Sequence[NoiseSeries]) -> NoiseSeries | None:
    """Its backbone alone: under the same compared values, and the same ablation where it has that, too."""
    if method.enhancer == NO_ENHANCER:
        return None
    alone = {
        each.method.ablation: each
        for each in series
        if each.method.enhancer == NO_ENHANCER and same_setting(method, each.method)
    }
    return alone.get(method.ablation, alone.get(None))


def _all_series(
    partition: ComparableCells, kind: str, protocol: str, metric: str, values: UserValues
) -> list[NoiseSeries]:
    """Trained methods with at least two rates, or that notice no noise, in the order of the plan."""
    noticing = touched_by_noise(partition.planned)
    touched = touched_by_noise([m for m in partition.planned if m.noise_kind == kind])
    rates = sorted({m.rate for m in partition.planned if m.noise_kind == kind or m in touched})
    series = []
    for method in dict.fromkeys(m.clean for m in partition.planned if m.kind == "trained"):
        found = {
            other.rate: values.trainings(cells, protocol, metric)
            for other, cells in partition.cells.items()
            if other.clean == method and other.noise_kind in ("", kind)
            if is_measured(cells, protocol, metric)
        }
        constant = method not in noticing and 0.0 in found
        if constant:
            found = dict.fromkeys(rates, found[0.0])
        if len(found) > 1:
            series.append(NoiseSeries(method, found, rates, constant))
    return series


def _curve(each: NoiseSeries, label: str, alone: NoiseSeries | None) -> NoiseCurve:
    rates = [rate for rate in each.rates if rate in each.values]
    below, words = (None, "") if alone is None else _below(each, alone, rates)
    return NoiseCurve(
        label=label,
        backbone=each.method.backbone,
        trainings=[each.values[rate].count for rate in rates],
        points=[_point(rate, each.values[rate]) for rate in rates],
        area=_interval(each.area()) if each.whole else None,
        retained=_retained(each) if each.whole else None,
        below=below,
        below_words=words,
        constant=each.constant,
    )


def _point(rate: float, values: Trainings) -> NoisePoint:
    found = figure_interval(values)
    return NoisePoint(rate=rate, mean=found.mean, low=found.low, high=found.high)


def _interval(terms: Terms) -> Interval:
    found = contrast(terms)
    low, high = found.interval()
    return Interval(mean=found.difference, low=low, high=high)


def _retained(each: NoiseSeries) -> Interval | None:
    """Share of the clean value that the area is.

    Its interval is by the delta method: the area less the share of the clean value is zero on average, and
    its standard error over the clean value is that of the share.
    """
    clean = each.values[each.rates[0]]
    if not clean.mean:
        return None
    area = each.area()
    share = contrast(area).difference / clean.mean
    low, high = contrast([*area, (-share, clean)]).interval()
    return Interval(mean=share, low=share + low / clean.mean, high=share + high / clean.mean)


def _below(each: NoiseSeries, alone: NoiseSeries, rates: Sequence[float]) -> tuple[float | None, str]:
    """From which rate the method's mean stays below that of its backbone."""
    gaps = [each.values[rate].mean - alone.values[rate].mean for rate in rates if rate in alone.values]
    if len(gaps) < len(rates):
        return None, "its backbone is not there at every rate"
    if gaps[-1] >= 0:
        return None, f"not up to {rates[-1]:g}"
    last = max((k for k, gap in enumerate(gaps) if gap >= 0), default=None)
    if last is None:
        return rates[0], "at every rate"
    share = gaps[last] / (gaps[last] - gaps[last + 1])
    rate = rates[last] + share * (rates[last + 1] - rates[last])
    return rate, f"from {rate:.2f}"


def _drops(series: Sequence[NoiseSeries], labels: Mapping[Method, str]) -> list[DropTest]:
    """Pairs of methods at every rate above the lowest, corrected together (Benjamini–Hochberg)."""
    tests = [
        _drop_test(a, b, rate, labels)
        for a, b in _drop_pairs(series)
        for rate in a.rates[1:]
        if all(at in each.values for each in (a, b) for at in (a.rates[0], rate))
    ]
    adjusted = of_known(benjamini_hochberg, [test["p"] for test in tests])
    for test, p in zip(tests, adjusted, strict=True):
        test["p_adjusted"] = p
    return tests


def _drop_test(a: NoiseSeries, b: NoiseSeries, rate: float, labels: Mapping[Method, str]) -> DropTest:
    """A sum over four sets of trainings: a seed at two rates counts as two trainings."""
    first, second = (contrast(each.drop(rate)).difference for each in (a, b))
    found = contrast([*a.drop(rate), *((-weight, values) for weight, values in b.drop(rate))])
    low, high = found.interval()
    return DropTest(
        a=labels[a.method], b=labels[b.method], rate=rate, drop_a=first, drop_b=second,
        difference=found.difference, low=low, high=high, p=found.p, p_adjusted=None,
    )  # fmt: skip


def _drop_pairs(series: Sequence[NoiseSeries]) -> list[tuple[NoiseSeries, NoiseSeries]]:
    """Every pair of a few methods; of many, each with the one that is best at the lowest rate."""
    if len(series) <= ALL_PAIRS_OF:
        return list(itertools.combinations(series, 2))
    there = [each for each in series if each.rates[0] in each.values]
    best = max(there, key=lambda each: each.values[each.rates[0]].mean, default=None)
    return [] if best is None else [(each, best) for each in there if each is not best]
