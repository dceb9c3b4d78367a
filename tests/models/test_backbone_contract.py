"""The contract of backbones, run for every registered one, and broken in each way."""

from __future__ import annotations

import pytest
import torch
from builders import model_settings
from torch import nn

from grasp_bench.components import BACKBONES
from grasp_bench.models.backbones.sasrec import SASRec
from grasp_bench.models.layout import Layout
from grasp_bench.testing import check_backbone


@pytest.mark.parametrize("name", BACKBONES.names())
def test_registered_backbones_keep_the_contract(name: str) -> None:
    check_backbone(name)


def test_a_backbone_that_looks_ahead_is_found_out() -> None:
    """Hazard 1 of the notes, as a switch: without the mask a state changes with later items."""
    check_backbone("sasrec", causal=False)
    torch.manual_seed(5)
    released = SASRec.from_settings(model_settings(causal=False)).eval()
    layout = Layout(torch.tensor([4]))
    x = torch.randn(4, 8)
    changed = x.clone()
    changed[3] = torch.randn(8)
    assert not torch.allclose(released(x, layout)[0], released(changed, layout)[0], atol=1e-6)


def ahead(self, x_TD, layout):
    return x_TD + x_TD.flip(0) * (len(layout.lengths_B) == 1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"causal": False}, "does not look ahead, but says causal = False"),
        ({"reads_order": False}, "says reads_order = False: swapped items say otherwise"),
        ({"extra": True}, "no gradient reaches extra.weight"),
        ({"narrow": True}, r"gives \(2, 3\) after two histories"),
    ],
)
def test_each_broken_claim_is_named(changes: dict, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(SASRec):
        @classmethod
        def from_settings(cls, settings):
            found = super().from_settings(settings)
            for name in ("causal", "reads_order"):
                if name in changes:
                    setattr(found, name, changes[name])
            if "extra" in changes:
                found.extra = nn.Linear(2, 2, bias=False)
            return found

        def forward(self, x_TD, layout):
            states = super().forward(x_TD, layout)
            return states[:, :3] if "narrow" in changes and len(x_TD) == 16 else states

    monkeypatch.setattr(BACKBONES, "implementation", lambda name: Broken)
    with pytest.raises(AssertionError, match=message):
        check_backbone("sasrec")
