"""Base classes: of every section of a spec, and of the settings of components."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

MetricName = Annotated[str, Field(pattern=r"^(NDCG|HR|MRR)@[1-9][0-9]*$")]
AnyMetricName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9]*@[1-9][0-9]*$")]


class Section(BaseModel):
    """A frozen pydantic model that refuses unknown keys, NaN and infinities."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True, validate_default=True
    )


def refuse_repeats(key: str, values: Sequence[Hashable]) -> None:
    """Raise ValueError for the first value that equals an earlier one, naming both places."""
    places: dict[Hashable, int] = {}
    for place, value in enumerate(values):
        first = places.setdefault(value, place)
        if first != place:
            said = f"; {value} is given twice" if isinstance(value, str | int | float) else ""
            raise ValueError(f"{key}[{place}] repeats {key}[{first}]{said}")


# Values that change no result: absent, empty, or a word that only decides when to stop.
SILENT: tuple[Any, ...] = (None, "", [], "refuse", "fail")


def explicit_values(section: Section) -> dict[str, Any]:
    """Return keys and JSON values, without keys at a default that is one of `SILENT`.

    Node hashes use this, so that a later version may add such a key without changing hashes.
    """
    values = section.model_dump(mode="json", by_alias=True)
    silent = {
        info.alias or name
        for name, info in type(section).model_fields.items()
        if (list(info.default) if isinstance(info.default, tuple) else info.default) in SILENT
    }
    return {key: value for key, value in values.items() if not (key in silent and value in SILENT)}


def without_defaults(section: Section, later: Collection[str]) -> dict[str, Any]:
    """Return keys and JSON values, without those of `later` that have their default.

    `later` are keys added after artefacts had been hashed without them; their default is the old behaviour.
    """
    values = section.model_dump(mode="json", by_alias=True)
    idle = {key for key in later if getattr(section, key) == type(section).model_fields[key].default}
    return {key: value for key, value in values.items() if key not in idle}


# Dotted keys and their values, as `tuning.space` writes them.
Space = Mapping[str, tuple[Any, ...]]


class Component(Section):
    """Settings of one component.

    A settings module imports no torch: the spec reads it, and only a worker imports the implementation.

    Attributes:
        implementation: "module:Class" of the class that the settings build.
    """

    implementation: ClassVar[str]

    @classmethod
    def own_fields(cls) -> dict[str, Any]:
        """Return annotation and field of each key that only this component declares, by attribute."""
        shared = cls.shared_fields()
        return {
            name: (info.annotation, info) for name, info in cls.model_fields.items() if name not in shared
        }

    @classmethod
    def own_keys(cls) -> tuple[str, ...]:
        """Return the component's own keys as a spec writes them."""
        return tuple(info.alias or name for name, (_, info) in cls.own_fields().items())

    @classmethod
    def shared_fields(cls) -> Collection[str]:
        """Return the attributes that all components of its kind have."""
        return ()


class ModelPart(Component):
    """Settings of a backbone or an enhancer: the keys of `model:` that both read.

    A subclass adds its own keys and may check them with a `model_validator(mode="after")`.

    Attributes:
        space: the keys that `tuning: {each: method}` searches where this component is used, as `tuning.space`
            writes them.
        later: keys added after trainings had been hashed without them; their default is the old behaviour.
    """

    space: ClassVar[Space] = {}
    later: ClassVar[tuple[str, ...]] = ()

    embedding_dim: int = Field(64, ge=2, description="The paper's d, hidden width of the backbone.")
    max_len: int = Field(100, ge=2)
    dropout: float = Field(0.5, ge=0, lt=1)

    @classmethod
    def shared_fields(cls) -> Collection[str]:
        """Return the attributes that all backbones and enhancers have."""
        return ModelPart.model_fields


# Searched of every backbone.
WIDTH_AND_DROPOUT: Space = {
    "model.embedding_dim": (32, 64, 128),
    "model.dropout": (0.1, 0.6),
}


class BackboneSettings(ModelPart):
    """Settings of a backbone.

    Attributes:
        masked_training: training fills in masked items instead of predicting the next one.
        token_cost: time for an item of a history, in that of SASRec; `plan` guesses by it.
    """

    masked_training: ClassVar[bool] = False
    token_cost: ClassVar[float] = 1.0

    @classmethod
    def cost_of_token(cls, model: Mapping[str, Any]) -> float:
        """Return the time for an item of a history with these keys of `model`, in that of default SASRec."""
        usual: int = ModelPart.model_fields["embedding_dim"].default
        return cls.token_cost * float(model["embedding_dim"]) / usual

    @classmethod
    def memory_mb(cls, model: Mapping[str, Any]) -> float:
        """Return the megabytes that its weights need in training with these keys of `model`, if many."""
        return 0.0

    def weights_path(self) -> Path | None:
        """Return the file or folder of pretrained weights, which count by their content; None without one."""
        return None

    def looks_ahead(self) -> str | None:
        """Return why a position sees later items, as a predicate ("has no causal mask"); None if causal."""
        return None


class EnhancerSettings(ModelPart):
    """Settings of an enhancer.

    Attributes:
        reads: roles of the artefacts that it reads besides split and candidates, whatever its keys.
        semantic_ids: keys of `semantic_ids:` that a spec leaves out, for a method that reads codes.
        own_loss: it computes its own loss, and `training.loss` is not read.
        whole_model: it is a network of its own, and `model.backbone` is not read.
        reads_profile_per_position: item vectors depend on the user, so each training position can use the
            profile of the items before it (`text.users.scope: prefix`).
        shuffled_control: the control `shuffled` trains it on the embeddings of other entities.
        training_cost, scoring_cost: time of a training step and of ranking an item, in those of `none`;
            `plan` guesses by them.
    """

    reads: ClassVar[tuple[str, ...]] = ()
    semantic_ids: ClassVar[Mapping[str, Any]] = {}
    own_loss: ClassVar[bool] = False
    whole_model: ClassVar[bool] = False
    reads_profile_per_position: ClassVar[bool] = False
    shuffled_control: ClassVar[bool] = False
    training_cost: ClassVar[float] = 1.0
    scoring_cost: ClassVar[float] = 1.0

    @classmethod
    def readings(cls, model: Mapping[str, Any]) -> float:
        """Return how often the backbone reads a history in training, with these keys of `model`."""
        return 1.0

    def roles(self) -> tuple[str, ...]:
        """Return the roles of the artefacts that it reads with these keys."""
        return self.reads

    def listed(self) -> int | None:
        """Return how many items at least are ranked of the catalogue; None for all."""
        return None

    def reads_users(self) -> bool:
        """Return whether it reads an artefact made from texts of users."""
        return any(role.startswith("user_") for role in self.roles())


# A key that enhancers with frozen embeddings share.
EmbeddingScale = Literal["unit", "standardised"]
EMBEDDING_SCALE: Any = Field(
    "unit",
    description="Scale of the frozen embeddings that the model reads: unit norm, or each column with mean 0 "
    "and standard deviation 1 over the users, or over the items. Means of neighbours follow.",
)


# A key that generative methods share.
Context = Literal["none", "user", "user_and_neighbours"]
CONTEXT: Any = Field(
    "none",
    description="What a generative method reads before the history: nothing, the user's embedding, or that "
    "and the mean of similar users' embeddings.",
)


def roles_of_context(context: Context) -> tuple[str, ...]:
    """Return the roles of the artefacts with the users' vectors."""
    return ("user_embeddings", "user_neighbours")[: ("none", "user", "user_and_neighbours").index(context)]


class ControlSettings(Component):
    """Settings of an untrained control.

    Attributes:
        reads: roles of the artefacts that it reads besides split and candidates.
        only_when_named: it runs only if the spec names it in `controls`.
    """

    reads: ClassVar[tuple[str, ...]] = ()
    only_when_named: ClassVar[bool] = False


class LossSettings(Component):
    """Settings of a loss.

    Attributes:
        keys: keys of `training.loss` that it reads; no other key is part of a cell's hash.
        negatives: default number of sampled negatives; 0 for a loss over the whole catalogue.
        revision: version of the loss with several negatives; a new one does not reuse older trainings.
    """

    keys: ClassVar[tuple[str, ...]] = ()
    negatives: ClassVar[int] = 0
    revision: ClassVar[int] = 1


class MetricSettings(Component):
    """Settings of a metric; it has no keys. Its implementation has `gains(k)`, the gains of ranks 1 to k."""


class DatasetSettings(Component):
    """Settings of a dataset that code makes; its own keys stand in `dataset:`."""


class NoiseSettings(Component):
    """Settings of a kind of noise.

    Attributes:
        strength: default strength; None for a kind that has none.
        most_strength: largest allowed strength, if bounded.
        reads_categories: it reads the category of each entity from the split.
    """

    strength: ClassVar[float | None] = None
    most_strength: ClassVar[float | None] = None
    reads_categories: ClassVar[bool] = False


class SamplerSettings(Component):
    """Settings of a sampler of `grasp-bench tune`; its implementation builds Optuna's sampler from a seed.

    Attributes:
        needs_choices: its points are all combinations of choices, queued before the search; no ranges.
    """

    needs_choices: ClassVar[bool] = False


Collisions = Literal["extra_level", "nearest_free", "keep"]


class SemanticIdSettings(Component):
    """Settings of a method that makes semantic IDs: the keys of `semantic_ids:` that all methods read.

    Attributes:
        reads_vectors: codes are made from item vectors.
        item_cost: seconds of an item on one core; `plan` guesses by it.
        reads_signals: they are made from interactions and the vectors of a trained SASRec, too.
        draws: they depend on `seed`, which is by default that of the training that reads them.
    """

    reads_vectors: ClassVar[bool] = True
    item_cost: ClassVar[float] = 1e-6
    reads_signals: ClassVar[bool] = False
    draws: ClassVar[bool] = True

    levels: int = Field(3, ge=1, le=128, description="Codes of an item, before collisions are resolved.")
    codebook_size: int = Field(256, ge=2, le=65_536, description="Codes of a level.")
    collisions: Collisions = Field(
        "extra_level",
        description="Items that share all codes: a further level counts them (TIGER), all but the best "
        "fitting move to the nearest free code of the last level, or they keep them and tie.",
    )
    seed: int = Field(
        0,
        ge=0,
        le=2**31 - 1,
        description="By default that of the training, so that the spread of a method holds the luck of its "
        "codes; a number gives all trainings the same codes.",
    )

    def cost(self) -> float:
        """Return the seconds of an item on one core with these keys."""
        return self.item_cost

    @classmethod
    def shared_fields(cls) -> Collection[str]:
        """Return the attributes that all methods have."""
        return SemanticIdSettings.model_fields


class SearcherSettings(Component):
    """Settings of a searcher.

    Attributes:
        keys: keys of `index:` that it reads besides `restrict_items_to`; None for all.
    """

    keys: ClassVar[tuple[str, ...] | None] = None
