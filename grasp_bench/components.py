"""Registries of all components: name to settings class.

The settings class declares the component's keys and names its implementation, which is imported when a worker
needs it. A new component is a settings class, an implementation and a line here. The first of a kind is its
default.

Example:
    >>> settings = ENHANCERS.get("grasp")(embedding_dim=32)
    >>> implementation = ENHANCERS.implementation("grasp")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from grasp_bench.core.errors import UnknownNameError
from grasp_bench.core.registry import Components

if TYPE_CHECKING:
    from grasp_bench.spec.encoder import EncoderSettings
    from grasp_bench.spec.section import (
        BackboneSettings,
        ControlSettings,
        DatasetSettings,
        EnhancerSettings,
        LossSettings,
        MetricSettings,
        NoiseSettings,
        SamplerSettings,
        SearcherSettings,
        SemanticIdSettings,
    )
    from grasp_bench.spec.text import TextSettings

BACKBONES: Components[BackboneSettings] = Components(
    "backbone",
    {
        "sasrec": "grasp_bench.models.backbones.sasrec_settings:SASRecSettings",
        "gru4rec": "grasp_bench.models.backbones.gru4rec_settings:GRU4RecSettings",
        "bert4rec": "grasp_bench.models.backbones.bert4rec_settings:BERT4RecSettings",
        "llm": "grasp_bench.models.backbones.llm_settings:LLMSettings",
    },
    base="grasp_bench.spec.section:BackboneSettings", group="grasp_bench.backbones",
)  # fmt: skip
ENHANCERS: Components[EnhancerSettings] = Components(
    "enhancer",
    {
        "none": "grasp_bench.models.enhancers.none_settings:NoEnhancerSettings",
        "llminit": "grasp_bench.models.enhancers.llminit_settings:LLMInitSettings",
        "rlmrec": "grasp_bench.models.enhancers.rlmrec_settings:RLMRecSettings",
        "llmesr": "grasp_bench.models.enhancers.llmesr_settings:LLMESRSettings",
        "grasp": "grasp_bench.models.enhancers.grasp_settings:GraspSettings",
        "rpg": "grasp_bench.models.enhancers.rpg_settings:RPGSettings",
        "tiger": "grasp_bench.models.generative.tiger_settings:TigerSettings",
        "flexcode": "grasp_bench.models.generative.flexcode_settings:FlexCodeSettings",
    },
    base="grasp_bench.spec.section:EnhancerSettings", group="grasp_bench.enhancers",
)  # fmt: skip
ENCODERS: Components[EncoderSettings] = Components(
    "encoder",
    {
        "sentence_transformers": "grasp_bench.encoders.sentence_transformers_settings:SentenceTransformers",
        "causal_lm": "grasp_bench.encoders.causal_lm_settings:CausalLM",
        "litellm": "grasp_bench.encoders.litellm_settings:LiteLLMEncoder",
        "precomputed": "grasp_bench.encoders.precomputed_settings:PrecomputedEncoder",
    },
    base="grasp_bench.spec.encoder:EncoderSettings", group="grasp_bench.encoders", tag="kind",
)  # fmt: skip
TEXT_PROVIDERS: Components[TextSettings] = Components(
    "text provider",
    {
        "template": "grasp_bench.text.template_settings:TemplateText",
        "litellm": "grasp_bench.text.litellm_settings:LiteLLMText",
        "precomputed": "grasp_bench.text.precomputed_settings:PrecomputedText",
    },
    base="grasp_bench.spec.text:TextSettings", group="grasp_bench.providers", tag="provider",
)  # fmt: skip
DATASETS: Components[DatasetSettings] = Components(
    "dataset",
    {"demo": "grasp_bench.data.demo_settings:DemoSettings"},
    base="grasp_bench.spec.section:DatasetSettings", group="grasp_bench.datasets",
)  # fmt: skip
SEARCHERS: Components[SearcherSettings] = Components(
    "index kind",
    {
        "exact": "grasp_bench.retrieval.searchers_settings:ExactSettings",
        "hnsw": "grasp_bench.retrieval.searchers_settings:HnswSettings",
    },
)
SEMANTIC_IDS: Components[SemanticIdSettings] = Components(
    "semantic ID method",
    {
        "rq_kmeans": "grasp_bench.semantic_ids.settings:RQKMeansSettings",
        "rqvae": "grasp_bench.semantic_ids.settings:RQVAESettings",
        "opq": "grasp_bench.semantic_ids.settings:OPQSettings",
        "flexcode": "grasp_bench.semantic_ids.settings:FlexCodeSettings",
        "random": "grasp_bench.semantic_ids.settings:RandomCodesSettings",
        "hash": "grasp_bench.semantic_ids.settings:HashCodesSettings",
    },
)
LOSSES: Components[LossSettings] = Components(
    "loss",
    {
        "bce": "grasp_bench.training.losses_settings:BCESettings",
        "gbce": "grasp_bench.training.losses_settings:GBCESettings",
        "softmax": "grasp_bench.training.losses_settings:SoftmaxSettings",
        "sampled_softmax": "grasp_bench.training.losses_settings:SampledSoftmaxSettings",
    },
    base="grasp_bench.spec.section:LossSettings", group="grasp_bench.losses",
)  # fmt: skip
METRICS: Components[MetricSettings] = Components(
    "metric",
    {
        "NDCG": "grasp_bench.evaluation.metrics_settings:NDCGSettings",
        "HR": "grasp_bench.evaluation.metrics_settings:HRSettings",
        "MRR": "grasp_bench.evaluation.metrics_settings:MRRSettings",
    },
    base="grasp_bench.spec.section:MetricSettings", group="grasp_bench.metrics",
)  # fmt: skip
NOISES: Components[NoiseSettings] = Components(
    "kind of noise",
    {
        "permute": "grasp_bench.encoders.noise_settings:PermuteSettings",
        "gaussian": "grasp_bench.encoders.noise_settings:GaussianSettings",
        "dropout": "grasp_bench.encoders.noise_settings:DropoutSettings",
        "category_flip": "grasp_bench.encoders.noise_settings:CategoryFlipSettings",
    },
)
CONTROLS: Components[ControlSettings] = Components(
    "control",
    {
        "popularity": "grasp_bench.controls.settings:PopularitySettings",
        "markov": "grasp_bench.controls.settings:MarkovSettings",
        "markov_symmetric": "grasp_bench.controls.settings:MarkovSymmetricSettings",
        "markov_backoff": "grasp_bench.controls.settings:MarkovBackoffSettings",
        "item_cf": "grasp_bench.controls.settings:ItemCfSettings",
        "sequence_knn": "grasp_bench.controls.settings:SequenceKnnSettings",
        "ease": "grasp_bench.controls.settings:EaseSettings",
        "item_knn": "grasp_bench.controls.settings:ItemKnnSettings",
        "random": "grasp_bench.controls.settings:RandomSettings",
        "constant": "grasp_bench.controls.settings:ConstantSettings",
    },
    base="grasp_bench.spec.section:ControlSettings", group="grasp_bench.controls",
)  # fmt: skip
SAMPLERS: Components[SamplerSettings] = Components(
    "sampler",
    {
        "tpe": "grasp_bench.studies.tuning.samplers_settings:TPESettings",
        "gp": "grasp_bench.studies.tuning.samplers_settings:GPSettings",
        "grid": "grasp_bench.studies.tuning.samplers_settings:GridSettings",
        "random": "grasp_bench.studies.tuning.samplers_settings:RandomSettings",
    },
)
REGISTRIES: tuple[Components[Any], ...] = (
    BACKBONES, ENHANCERS, ENCODERS, TEXT_PROVIDERS, DATASETS, SEARCHERS, SEMANTIC_IDS, LOSSES, METRICS,
    NOISES, CONTROLS, SAMPLERS,
)  # fmt: skip


def described() -> list[dict[str, Any]]:
    """Describe every component: kind, name, summary, its own keys as a spec writes them, implementation.

    Those of other packages are among them; of one that cannot be used the summary says why.
    """
    rows: list[dict[str, Any]] = []
    for registry in REGISTRIES:
        for name in dict.fromkeys([*registry, *registry.offered()]):
            try:
                settings = registry.get(name)
            except UnknownNameError as error:
                target = registry.offered()[name]
                broken = {"summary": f"cannot be used: {error.message}", "keys": [], "implementation": target}
                rows.append({"kind": registry.kind, "name": name, **broken})
                continue
            summary = (settings.__doc__ or "").strip().partition("\n\n")[0]
            rows.append(
                {
                    "kind": registry.kind, "name": name, "summary": " ".join(summary.split()),
                    "keys": _own_keys(settings), "implementation": settings.implementation,
                }
            )  # fmt: skip
    return rows


def _own_keys(settings: Any) -> list[str]:
    """Return the keys that a component declares beyond those of its kind."""
    shared = {"kind", "provider", "name"}
    taken = settings.keys if isinstance(getattr(settings, "keys", None), tuple) else ()  # of `training.loss`
    return [*taken, *(key for key in settings.own_keys() if key not in shared)]
