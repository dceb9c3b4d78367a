"""The contracts of components, for the tests of packages that bring one.

    from grasp_bench.testing import check_backbone

    def test_contract():
        check_backbone("fpmc:Fpmc")

Each function takes a name, or "module:Class", and keys of the spec; it raises AssertionError or PluginError
that says what is broken, and UnknownNameError for a class that cannot be imported. The project's own
components are tested by the same functions.
"""

from grasp_bench.testing.backbones import check_backbone
from grasp_bench.testing.controls import check_control
from grasp_bench.testing.datasets import check_dataset
from grasp_bench.testing.encoders import check_encoder
from grasp_bench.testing.enhancers import check_enhancer
from grasp_bench.testing.losses import check_loss
from grasp_bench.testing.metrics import check_metric
from grasp_bench.testing.texts import check_text_provider
from grasp_bench.testing.whole_models import check_whole_model

__all__ = [
    "check_backbone", "check_control", "check_dataset", "check_encoder", "check_enhancer", "check_loss",
    "check_metric", "check_text_provider", "check_whole_model",
]  # fmt: skip
