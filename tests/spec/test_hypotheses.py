"""What a hypothesis may say of sizes and noise, and how a wrong one is named."""

from __future__ import annotations

import pytest

from grasp_bench.core.errors import SpecError
from grasp_bench.spec.loading import load_text

SPEC = """\
name: sizes
dataset: {{source: demo}}
compare: {{model.enhancer: [none, grasp]}}
noise: {{rates: {rates}}}
hypotheses:
  - {{better: grasp, than: none, {more}}}
"""


def asked(more: str, rates: str = "[0, 0.3]") -> object:
    return load_text(SPEC.format(more=more, rates=rates)).experiment.hypotheses[0]


def test_a_size_is_in_points_and_a_rate_is_one_of_the_spec() -> None:
    found = asked("at_least: 0.5, noise: 0.3")
    assert (found.at_least, found.noise) == (0.5, 0.3)  # type: ignore[attr-defined]
    assert asked("noise: 0").noise == 0.0  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("more", "rates", "message"),
    [
        (
            "noise: 0.2",
            "[0, 0.3]",
            r":6:40 hypotheses\[0\]\.noise: 0\.2 is not among noise\.rates \(0, 0\.3\)",
        ),
        ("metric: HR@10", "[0.3]", r"hypotheses\[0\]\.noise: 0 is not among noise\.rates \(0\.3\)"),
        ("at_least: -1", "[0, 0.3]", r":6:43 hypotheses\[0\]\.at_least"),
        ("at_least: 100", "[0, 0.3]", r"hypotheses\[0\]\.at_least"),
    ],
)
def test_what_does_not_fit_is_named(more: str, rates: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        asked(more, rates)
