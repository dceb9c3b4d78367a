"""The top level of a spec: `Experiment`, with the sections `tuning:` and `hypotheses:`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from grasp_bench.components import ENCODERS, ENHANCERS, SAMPLERS
from grasp_bench.core.words import listed
from grasp_bench.spec.choices import EncoderSource, Text
from grasp_bench.spec.controls import NAMES, SHUFFLED, ControlName, ControlSeeds, ImportedRun
from grasp_bench.spec.dataset import Dataset, ProtocolName
from grasp_bench.spec.encoder import VectorFileSettings
from grasp_bench.spec.index import Index
from grasp_bench.spec.metrics import unknown_metric
from grasp_bench.spec.model import Model
from grasp_bench.spec.noise import Noise
from grasp_bench.spec.published import Published
from grasp_bench.spec.section import AnyMetricName, Section, refuse_repeats
from grasp_bench.spec.semantic_ids import SemanticIds
from grasp_bench.spec.text import TextFileSettings
from grasp_bench.spec.training import SeedList, Seeds, Training

if TYPE_CHECKING:
    SamplerName = str
else:
    SamplerName = Literal[*SAMPLERS]


class Tuning(Section):
    """A search over dotted keys by `grasp-bench tune`, on validation alone.

    In `space`, two numbers are a range, of integers if the key takes integers; `[1e-4, 1e-2, log]` is a
    logarithmic range. A longer list, a list of other values, and `[32, 64, choice]` are choices.

    `each: method` searches every compared method by itself, all with the same number of trials: the keys that
    its components declare, and those of `space`, which replace or extend them.
    """

    each: Literal["method"] | None = Field(
        None,
        description="method: a search for each compared method, with `trials` each. Without it the base cell "
        "alone is searched.",
    )

    sampler: SamplerName = Field(
        SAMPLERS.default,
        description="grid starts from the spec's own values: first the points that differ in one key, which "
        "give a curve for each key, then the rest.",
    )
    pruner: Literal["none", "median", "hyperband"] = Field(
        "none", description="Stops a trial early by the validation curve of its first seed."
    )
    seed: int = Field(0, ge=0, lt=2**31, description="Seed of the sampler; trainings use `seeds`.")
    trial_seeds: SeedList | None = Field(
        None, description="Seeds of each trial's trainings, where fewer than the spec's `seeds` shall do."
    )
    trials: int = Field(30, ge=1, description="Total number of trials, those of earlier commands included.")
    space: dict[str, tuple[Any, ...]] = Field(
        default={}, description="Dotted key to its range or choice; may be left out with `each: method`."
    )

    @model_validator(mode="after")
    def _something_to_search(self) -> Tuning:
        if self.each is None and not self.space:
            raise ValueError("space needs at least one key, or `each: method` the keys that methods declare")
        if self.each is not None and SAMPLERS.get(self.sampler).needs_choices:
            others = listed([name for name in SAMPLERS if not SAMPLERS.get(name).needs_choices])
            raise ValueError(f"sampler {self.sampler} has no ranges, and methods declare some: use {others}")
        return self


class Tuned(Section):
    """Values that a search found for one method, and what finding them took (`grasp-bench tune`)."""

    values: dict[str, Any] = Field(description="Dotted patch of the method's cells.")
    trials: int | None = Field(None, ge=1, description="Trials of its search.")
    seconds: float | None = Field(None, ge=0, description="Training time of its search.")
    validation: float | None = Field(None, description="Best validation value, higher by the choice itself.")


class Hypothesis(Section):
    """One declared comparison; Holm's correction is over the family of the declared ones.

    `better` and `than` name a method as the board prints it: an enhancer (`grasp`), an enhancer with its
    ablation (`grasp/softmax`) or a backbone and both (`sasrec+grasp/softmax`).
    """

    better: str = Field(min_length=1)
    than: str = Field(min_length=1)
    metric: AnyMetricName = "NDCG@10"
    protocol: Literal["sampled", "full"] = "full"
    at_least: float = Field(
        0.0,
        ge=0,
        lt=100,
        description="Smallest difference that matters, in percentage points: the verdict is then better by "
        "at least that, equivalent, worse, or undecided.",
    )
    noise: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Rate of `noise:` that is compared; hypotheses above 0 are a separate family.",
    )


NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,79}$"


class Experiment(Section):
    """A whole spec: a base cell, and the settings that vary around it."""

    name: str = Field(pattern=NAME, description="Results go to results/<name>.")
    description: str = ""
    protocol: ProtocolName | None = Field(
        None,
        description="Named set of values for keys of dataset.protocol, model and training that the spec "
        "leaves out (docs/honest_numbers.md).",
    )
    dataset: Dataset
    text: Text = Text()
    encoder: EncoderSource = ENCODERS.get(ENCODERS.default)()
    index: Index = Index()
    semantic_ids: SemanticIds = SemanticIds.model_validate({})
    model: Model = Model.model_validate({})
    training: Training = Training()
    seeds: Seeds = Field(
        (42,),
        description="Seeds of every method: a list, or a mapping that adds seeds until the hypotheses are "
        "decided (docs/running.md).",
    )
    compare: dict[str, tuple[Any, ...]] = Field(
        default={}, description="Dotted key to the compared values; several keys are crossed."
    )
    ablations: dict[str, dict[str, Any]] = Field(
        default={}, description="Name of an ablation to its dotted patch on each compared cell."
    )
    tuned: dict[str, Tuned] = Field(
        default={},
        description="Method (sasrec+grasp, sasrec+grasp/softmax) to the values found for it. An ablation "
        "without an entry has those of its method below its own.",
    )
    controls: tuple[ControlName, ...] | None = Field(
        None,
        description="Untuned baseline rows. By default all that apply except `ease`; `[]` for none.",
    )
    control_seeds: ControlSeeds = Field(
        "first",
        description="Whether `shuffled`, the only trained control, uses the first of `seeds` or all.",
    )
    imported: tuple[ImportedRun, ...] = Field(
        (), description="Runs of other libraries, measured on the same stored candidates."
    )
    noise: Noise | None = None
    tuning: Tuning | None = None
    hypotheses: tuple[Hypothesis, ...] = ()
    published: Published | None = None

    def cell_patch(self, compared: Mapping[str, Any], ablation: str | None) -> dict[str, Any]:
        """Return the patch of a cell: compared values, those found for its method, and its ablation's."""
        own = self.ablations[ablation] if ablation else {}
        chosen = {**compared, **own}
        backbone = chosen.get("model.backbone", self.model.backbone)
        name = f"{backbone}+{chosen.get('model.enhancer', self.model.enhancer)}"
        if ablation and (exact := self.tuned.get(f"{name}/{ablation}")) is not None:
            return {**chosen, **exact.values}
        found = self.tuned.get(name)
        return {**compared, **(found.values if found else {}), **own}

    @property
    def first_seeds(self) -> tuple[int, ...]:
        """Return the seeds that every method starts with."""
        return self.seeds if isinstance(self.seeds, tuple) else self.seeds.first_of(self.seeds.least)

    @property
    def all_seeds(self) -> tuple[int, ...]:
        """Return all seeds that a method may get, the first ones first."""
        return self.seeds if isinstance(self.seeds, tuple) else self.seeds.first_of(self.seeds.most)

    def with_first_seeds(self) -> Experiment:
        """Return a copy whose `seeds` is the fixed list of first seeds."""
        return self.model_copy(update={"seeds": self.first_seeds})

    @field_validator("ablations")
    @classmethod
    def _ablations_named_apart(cls, ablations: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        if SHUFFLED in ablations:
            raise ValueError(f"'{SHUFFLED}' is the name of a control; rename the ablation")
        return ablations

    @field_validator("controls")
    @classmethod
    def _controls_distinct(cls, controls: tuple[ControlName, ...] | None) -> tuple[ControlName, ...] | None:
        refuse_repeats("controls", controls or ())
        return controls

    @field_validator("hypotheses")
    @classmethod
    def _hypotheses_distinct(cls, hypotheses: tuple[Hypothesis, ...]) -> tuple[Hypothesis, ...]:
        refuse_repeats("hypotheses", hypotheses)  # a repeat would enlarge the family that is corrected
        return hypotheses

    @model_validator(mode="after")
    def _prefixes_need_causality(self) -> Experiment:
        model = self.model
        ahead = model.backbone_settings().looks_ahead()
        per_position = ENHANCERS.get(model.enhancer).reads_profile_per_position
        if self.text.users.scope == "prefix" and per_position and ahead:
            raise ValueError(
                "text.users.scope: prefix needs a backbone that does not look ahead; "
                f"{model.backbone} {ahead}"
            )
        return self

    @model_validator(mode="after")
    def _steps_have_a_next_item(self) -> Experiment:
        ahead = self.model.backbone_settings().looks_ahead()
        if self.dataset.repair.time_ties == "block" and ahead:
            raise ValueError(
                "dataset.repair.time_ties: block needs a backbone that does not see items of the same time; "
                f"{self.model.backbone} {ahead}"
            )
        return self

    @model_validator(mode="after")
    def _codes_fit(self) -> Experiment:
        """Check the method of semantic IDs with the values that the enhancer gives it."""
        enhancer = self.model.enhancer_settings()
        try:
            self.semantic_ids.settings(enhancer.semantic_ids)
        except ValidationError as error:
            raise ValueError(f"semantic_ids: {error.errors()[0]['msg']}") from None
        listed, cutoff = enhancer.listed(), max(self.dataset.protocol.cutoffs)
        if listed is not None and listed < cutoff:
            raise ValueError(
                f"model.beam {listed} ranks fewer items than dataset.protocol.cutoffs ask for: {cutoff}"
            )
        if enhancer.whole_model and self.dataset.repair.time_ties == "block":
            raise ValueError(
                "dataset.repair.time_ties: block needs a backbone, which leaves out items of the same time; "
                f"{self.model.enhancer} is a network of its own and predicts them, too"
            )
        return self

    @model_validator(mode="after")
    def _user_texts_fit_the_order(self) -> Experiment:
        """Refuse user texts or vectors made from the file's order, which may reveal the held-out item."""
        reordering = self.dataset.repair.reordering
        if reordering is None or not self._reads_users():
            return self
        if isinstance(self.encoder, VectorFileSettings):
            key, leaks = f"encoder.kind: {self.encoder.kind}", self.encoder.leaks
        else:
            key, leaks = f"text.users.provider: {self.text.users.provider}", self.text.users.leaks
            if not isinstance(self.text.users, TextFileSettings):
                return self
        if leaks != "mark":
            raise ValueError(
                f"{key} was made from the file's order, but dataset.repair.{reordering} holds out another "
                "item, which it may reveal; make the users' embeddings from the shuffled split "
                "(a prompt template for text.users and an encoder of texts; text.items may stay as it is), "
                "or set leaks: mark"
            )
        return self

    def _reads_users(self) -> bool:
        """Whether the cell reads what is made from texts of users, be it for the vectors of its codes."""
        enhancer = self.model.enhancer_settings()
        method = self.semantic_ids.settings(enhancer.semantic_ids)
        taught = "item_codes" in enhancer.roles() and method.reads_vectors
        return enhancer.reads_users() or (taught and self.semantic_ids.vectors == "holistic")

    @model_validator(mode="after")
    def _old_texts_are_encoded(self) -> Experiment:
        if self.text.users.stale and isinstance(self.encoder, VectorFileSettings):
            raise ValueError(
                "text.users.stale: precomputed vectors cannot be recomputed for older profiles; "
                "use an encoder of texts, or leave stale out"
            )
        return self

    @model_validator(mode="after")
    def _noise_hits_entities(self) -> Experiment:
        if self.noise is None or self.noise.rates[-1] == 0:
            return self
        if self.text.users.scope == "prefix":
            raise ValueError("noise applies to users, not to their prefixes: remove text.users.scope: prefix")
        if self.noise.target == "text" and isinstance(self.encoder, VectorFileSettings):
            raise ValueError("noise.target: text needs texts, but the encoder's vectors are precomputed")
        return self

    @field_validator("imported")
    @classmethod
    def _imported_named_apart(cls, imported: tuple[ImportedRun, ...]) -> tuple[ImportedRun, ...]:
        seeds: dict[str, list[int | None]] = {}
        for run in imported:
            if run.name in (*NAMES, *ENHANCERS):
                raise ValueError(f"'{run.name}' is an enhancer or a control; rename the imported run")
            seeds.setdefault(run.name, []).append(run.seed)
        for name, given in seeds.items():
            if len(set(given)) < len(given) or (None in given and len(given) > 1):
                raise ValueError(f"several runs are called '{name}': give each a different seed")
        return imported

    @model_validator(mode="after")
    def _hypotheses_are_measured(self) -> Experiment:
        for place, each in enumerate(self.hypotheses):
            if problem := unknown_metric(each.metric, self.dataset.protocol.metrics):
                raise ValueError(f"hypotheses[{place}].metric: {problem}")
        return self

    @model_validator(mode="after")
    def _monitor_is_measured(self) -> Experiment:
        cutoff = int(self.training.monitor.partition("@")[2])
        if cutoff not in self.dataset.protocol.cutoffs:
            raise ValueError(
                f"training.monitor {self.training.monitor} is not among dataset.protocol.cutoffs"
            )
        return self
