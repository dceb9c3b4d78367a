"""Settings of the losses."""

from __future__ import annotations

from grasp_bench.spec.section import LossSettings


class BCESettings(LossSettings):
    """Binary cross-entropy of the item against negatives (eq. 6 of the GRASP paper)."""

    implementation = "grasp_bench.training.losses:BinaryCrossEntropy"
    keys = ("negatives", "sampling")
    negatives = 1
    revision = 2


class GBCESettings(LossSettings):
    """BCE with the positive calibrated for how few items are sampled (gSASRec, RecSys 2023)."""

    implementation = "grasp_bench.training.losses:GeneralisedBinaryCrossEntropy"
    keys = ("negatives", "sampling", "calibration")
    negatives = 256
    revision = 2


class SoftmaxSettings(LossSettings):
    """Cross-entropy over the catalogue."""

    implementation = "grasp_bench.training.losses:Softmax"


class SampledSoftmaxSettings(LossSettings):
    """Cross-entropy over the item and the negatives."""

    implementation = "grasp_bench.training.losses:SampledSoftmax"
    keys = ("negatives", "sampling", "log_q")
    negatives = 256
