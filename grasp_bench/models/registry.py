"""Registered backbones and enhancers. Adding one is one file and one line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grasp_bench.core.registry import Registry

if TYPE_CHECKING:
    from grasp_bench.models.backbones.base import Backbone
    from grasp_bench.models.enhancers.base import Enhancer

BACKBONES: Registry[type[Backbone]] = Registry(
    "backbone",
    {
        "sasrec": "grasp_bench.models.backbones.sasrec:SASRec",
        "gru4rec": "grasp_bench.models.backbones.gru4rec:GRU4Rec",
        "bert4rec": "grasp_bench.models.backbones.bert4rec:BERT4Rec",
    },
)
ENHANCERS: Registry[type[Enhancer]] = Registry(
    "enhancer",
    {
        "none": "grasp_bench.models.enhancers.none:NoEnhancer",
        "llminit": "grasp_bench.models.enhancers.llminit:LLMInit",
        "rlmrec": "grasp_bench.models.enhancers.rlmrec:RLMRec",
        "llmesr": "grasp_bench.models.enhancers.llmesr:LLMESR",
        "grasp": "grasp_bench.models.enhancers.grasp:Grasp",
    },
)
