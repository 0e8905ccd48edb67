"""``use_case.yaml``: everything that differs from one problem to another."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, StrictInt, model_validator

from tenant_experience.data_layout import CENSORED, MANIFEST
from tenant_experience.errors import UserError
from tenant_experience.settings_file import Settings, line_of, load_settings
from tenant_experience.tenant_id import IdCase
from tenant_experience.use_case.approval_rules import ApprovalRules, parse_approval_rules
from tenant_experience.use_case.column_names import name_fault
from tenant_experience.use_case.costs import Costs
from tenant_experience.use_case.events import Events
from tenant_experience.use_case.features import Feature, Name, Noise
from tenant_experience.use_case.gates import Gates
from tenant_experience.use_case.history import History
from tenant_experience.use_case.inference import Inference
from tenant_experience.use_case.labels import Clustering, Labels
from tenant_experience.use_case.manifest import RESERVED_HYPERPARAMETERS, Scope
from tenant_experience.use_case.models import Models
from tenant_experience.use_case.processing import NETWORKS, check_processing
from tenant_experience.use_case.record_id import RecordId, as_record_id
from tenant_experience.use_case.risk import Risk
from tenant_experience.use_case.sequences import Sequences, check_sequences
from tenant_experience.use_case.split import RECORD, ROWS, Split
from tenant_experience.use_case.targets import TIMED_FEATURES, Targets
from tenant_experience.use_case.tenant_outcomes import Outcomes
from tenant_experience.use_case.trainer_names import TrainerName
from tenant_experience.use_case.tuning import Tuning
from tenant_experience.use_case.words import Words

USE_CASE_FILE = "use_case.yaml"
SQL_FILE = "features.sql"
SOURCES_FOLDER = "sources"
# The partition column of a use case that does not name one. Without values in it, there is one partition.
DEFAULT_PARTITION_COLUMN = "portfolio_id"

Scalar = bool | int | float | str

_log = logging.getLogger("use_case")


class Processing(Settings):
    """What computes features: DuckDB in one process, or Spark on ``instances`` machines."""

    engine: str = "duckdb"
    instances: StrictInt = 1

    @model_validator(mode="after")
    def _possible(self) -> Self:
        check_processing(self.engine, self.instances)
        return self


class UseCase(Settings):
    """A whole ``use_case.yaml``.

    ``features`` keeps the file's order: it is the order in which the model reads them. ``feature_dropout`` is the share
    of them that is hidden in a second copy of the rows that a model is trained on; 0: there is no copy. ``targets`` and
    ``capacity`` (tenants of one portfolio) make the list to act on; without targets there is none. ``contacts`` are
    features that count contacts of one kind each: figures are also given by the kind that a tenant has most of. With
    ``record_id_case: insensitive``, ids that differ only in the case of the letters A to Z are one id, which is written
    in lower case. With ``examples: several``, a record has several rows of features, each with a time ``as_of`` of its
    own: all of them train and test models, and the latest answers. ``sequences`` are features that are one
    quantity at fixed lags, oldest first. ``risk`` makes a list of who an event may happen to soon. With ``refresh:
    auto``, a batch brings new features alone as soon as a release is live, unless its manifest asks for models.
    """

    name: Name
    ids: Annotated[RecordId, BeforeValidator(as_record_id)] = Field(alias="record_id")
    record_id_case: IdCase = "sensitive"
    partition_column: Name = DEFAULT_PARTITION_COLUMN
    default_source: Name
    refresh: Literal["asked", "auto"] = "asked"
    words: Words = Words()
    events: Events | None = None
    outcomes: Outcomes | None = None
    features: dict[Name, Feature] = Field(min_length=1)
    sequences: Sequences = Field(default_factory=dict)
    clustering: Clustering | None = None
    labels: Labels
    risk: Risk | None = None
    examples: Literal["one", "several"] = "one"
    split: Split = Split()
    models: Models = Models()
    history: History = History()
    trainer: TrainerName = "xgboost"
    hyperparameters: dict[str, Scalar] = Field(default_factory=dict)
    tuning: Tuning = Tuning()
    feature_dropout: float = Field(default=0, ge=0, lt=1)
    gates: Gates = Gates()
    processing: Processing = Processing()
    approval: Annotated[ApprovalRules, BeforeValidator(parse_approval_rules)] = ApprovalRules()
    costs: Costs = Costs()
    inference: Inference = Inference()
    contacts: list[Name] = Field(default_factory=list)
    targets: Targets | None = None
    capacity: int = Field(default=10, ge=1, le=1_000)

    @property
    def record_id(self) -> str:
        """The column of ids."""
        return self.ids.name

    @property
    def id_columns(self) -> tuple[str, ...]:
        """What a source must map to give an id: its column, or the columns that it is made from."""
        return self.ids.from_ or (self.record_id,)

    @property
    def feature_names(self) -> list[str]:
        """Names of the features, in order."""
        return list(self.features)

    @property
    def declared_events(self) -> Events:
        """What the use case declares about its events, where it has events."""
        if self.events is None:
            raise ValueError(f"{self.name} has no events")
        return self.events

    @property
    def grouped(self) -> Clustering:
        """How groups are found, when labels come from clusters."""
        if self.clustering is None:
            raise ValueError(f"labels of {self.name} do not come from clusters")
        return self.clustering

    @property
    def categories(self) -> list[str]:
        """Names of the features that are categories, in order."""
        return [name for name, feature in self.features.items() if feature.kind == "category"]

    @property
    def split_unit(self) -> str:
        """What the split keeps together: ``record``, ``rows`` (nothing but a row) or the name of a column."""
        return RECORD if self.split.unit == self.record_id else self.split.unit

    @property
    def unusual_split(self) -> Split | None:
        """The split, unless it is that of a use case that does not name one."""
        return (
            None
            if self.split_unit == RECORD and not self.split.time
            else Split(by=self.split_unit, time=self.split.time)
        )

    @property
    def split_column(self) -> str | None:
        """The column whose values the split keeps together, if it names one."""
        return None if self.split_unit in (RECORD, ROWS) else self.split_unit

    @property
    def kept_columns(self) -> list[str]:
        """Columns of text that are in the files of features, but are read by no model."""
        column = self.split_column
        return [] if column is None or column in (*self.features, self.partition_column) else [column]

    @property
    def read_sequences(self) -> Sequences:
        """The sequences that the trainer reads; only networks read them as such."""
        return self.sequences if self.trainer in NETWORKS else {}

    @property
    def noise(self) -> dict[str, Noise]:
        """Feature -> its noise, for the features whose noise is known."""
        return {name: feature.noise for name, feature in self.features.items() if feature.noise}

    @property
    def cannot_be_pooled(self) -> str | None:
        """Why ``models.scope: pooled`` is impossible, in words that follow it; None when it is possible."""
        if self.labels.from_ == "clusters":
            return (
                f"needs labels.from: column; with groups, {self.words.partitions} are compared on one scale "
                "(scope: global)"
            )
        if self.labels.horizon_days is not None:
            return (
                "is for two classes or a number that is known of every record, and the days until an event are not; "
                "use scope: global or per_partition, or give labels.classes"
            )
        if self.labels.task == "multiclass":
            return (
                f"is for two classes or a number, but labels.classes names {len(self.labels.classes or ())}; use "
                "scope: global or per_partition"
            )
        if "partition_column" not in self.model_fields_set:
            return "needs partition_column: without it there is one partition, and nothing to add a level for"
        if self.partition_column in self.features:
            return (
                f"adds a level for partition_column {self.partition_column!r}, which must then not be among the "
                "features: take it out of features"
            )
        return None

    def chosen_scope(self, asked: Scope | None) -> Scope:
        """The scope of a release: what its manifest.json asks for, or that of the use case.

        Raises:
            UserError: ``invalid_manifest``: the use case cannot be pooled.
        """
        if asked != "pooled":
            return asked or self.models.scope
        fallback = None if self.models.fallback else "needs the global model, but models.fallback is false"
        if reason := self.cannot_be_pooled or fallback:
            raise UserError(f"{MANIFEST} key 'models': pooled {reason}", code="invalid_manifest")
        return asked

    @model_validator(mode="before")
    @classmethod
    def _renamed(cls, document: Any) -> Any:
        """Accepts ``masking``, which is what ``feature_dropout`` was called before, until the next version."""
        if not isinstance(document, dict) or "masking" not in document or "feature_dropout" in document:
            return document
        _log.warning("%s: write feature_dropout instead of masking; the next version refuses masking", USE_CASE_FILE)
        return {"feature_dropout" if key == "masking" else key: value for key, value in document.items()}

    @model_validator(mode="after")
    def _noise_is_of_counts(self) -> Self:
        counts = [name for name, noise in self.noise.items() if noise.kind == "poisson"]
        for name, noise in self.noise.items():
            others = [each for each in noise.of if each not in counts]
            if others:
                raise ValueError(f"features.{name}.noise.of names {others}, which do not have noise: {{kind: poisson}}")
        return self

    @model_validator(mode="after")
    def _sequences_of_features(self) -> Self:
        check_sequences(self.sequences, self.features)
        if self.trainer in NETWORKS and not self.sequences:
            raise ValueError(
                f"trainer {self.trainer} needs sequences: features that are one quantity at fixed lags, the oldest "
                "first, such as sequences: {spend: [spend_3, spend_2, spend_1]}"
            )
        if self.trainer in NETWORKS and self.clustering is not None:
            raise ValueError(
                f"trainer {self.trainer} needs labels.from: column or events. With groups, {self.words.a_record} must "
                "not look better because a marker got worse, and a network cannot promise that; choose another trainer"
            )
        return self

    @model_validator(mode="after")
    def _needs_what_may_be_missing(self) -> Self:
        columns = self.events.columns if self.events else {}
        optional = [name for name, column in columns.items() if column.optional]
        for name, feature in self.features.items():
            others = [each for each in feature.needs if each not in optional]
            if others:
                raise ValueError(
                    f"features.{name}.needs names {others}, but must name columns of events with optional: true: "
                    f"{', '.join(optional) or 'there are none'}"
                )
        return self

    @model_validator(mode="after")
    def _groups_can_be_found(self) -> Self:
        if (self.clustering is not None) != (self.labels.from_ == "clusters"):
            raise ValueError("clustering must be given with labels.from: clusters, and left out otherwise")
        if self.clustering is None:
            return self
        classes = self.labels.classes or []
        if len(classes) != self.clustering.groups:
            raise ValueError(
                f"labels.classes {classes} must name {self.clustering.groups} groups, as clustering.groups says"
            )
        for key in ("markers", "checks"):
            unknown = [name for name in getattr(self.clustering, key) if name not in self.features]
            if unknown:
                raise ValueError(f"clustering.{key} names {unknown}, not among the features {self.feature_names}")
        neither = [name for name in self.clustering.markers if self.features[name].direction == 0]
        if neither:
            raise ValueError(f"clustering.markers {neither} have more_is: neither; a marker needs worse or better")
        return self

    @model_validator(mode="after")
    def _can_be_split(self) -> Self:
        if self.examples == "several" and self.labels.from_ == "clusters":
            raise ValueError("examples: several needs labels of a column; groups are found among one row per record")
        column = self.split.by
        if column is None:
            return self
        if column in (RECORD, ROWS) and column in (*self.features, self.partition_column):
            raise ValueError(f"split.by {column!r} is a word of this file and the name of a column: rename the column")
        if column == self.labels.column:
            raise ValueError(f"split.by must not name labels.column {column!r}: each part needs every label")
        if column in self.features and column not in self.categories:
            raise ValueError(
                f"split.by names the feature {column!r}, which is a number: only texts can be kept together"
            )
        return self

    @model_validator(mode="after")
    def _labels_of_events(self) -> Self:
        if self.labels.from_ != "events":
            return self
        if self.events is None:
            raise ValueError("labels.from: events needs the key 'events', which declares the columns of an event")
        if self.examples != "one":
            raise ValueError(
                "labels.from: events makes several examples of a record itself: leave out the key 'examples'"
            )
        if CENSORED in (
            *self.features,
            *self.kept_columns,
            self.record_id,
            self.partition_column,
            self.labels.column,
        ):
            raise ValueError(
                f"the name {CENSORED!r} is that of a column of the examples that labels.from: events makes: write "
                f"{CENSORED}_1, for example"
            )
        return self

    @model_validator(mode="after")
    def _risk_of_events(self) -> Self:
        if self.risk is None:
            return self
        if self.events is None or self.examples != "one":
            raise ValueError("risk needs the key 'events' and one row per record: it is about what happens next")
        self.risk.check([name for name in self.features if name not in self.categories])
        return self

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.labels.column in (*self.features, self.record_id, self.partition_column):
            raise ValueError(
                f"labels.column {self.labels.column!r} must not be a feature or an id: it is what a model predicts"
            )
        if self.labels.column in self.id_columns:
            raise ValueError(f"record_id.from names {self.labels.column!r}: a record needs an id before it has a label")
        uncounted = [name for name in self.contacts if name not in self.features or name in self.categories]
        if uncounted:
            raise ValueError(f"contacts names {uncounted}, which are not features that count contacts")
        untimed = [name for name in TIMED_FEATURES if self.targets and name not in self.features]
        if untimed:
            raise ValueError(f"targets need the feature {untimed[0]!r}, which is not among the features")
        if self.outcomes and self.labels.positive is None:
            raise ValueError("outcomes need labels.positive: they show what its probability is worth")
        if self.models.scope != "per_partition" and not self.models.fallback:
            raise ValueError(f"with scope: {self.models.scope}, models.fallback: false leaves no model at all")
        if self.models.scope == "pooled" and self.cannot_be_pooled:
            raise ValueError(f"models.scope: pooled {self.cannot_be_pooled}")
        if "costs" in self.model_fields_set and self.labels.task != "binary":
            raise ValueError("costs need two classes: with more classes, or a number, there is no threshold to set")
        reserved = sorted(RESERVED_HYPERPARAMETERS & self.hyperparameters.keys())
        if reserved:
            raise ValueError(f"hyperparameters must not name {reserved}, which the state machine sets")
        return self


def load_use_case(folder: Path) -> UseCase:
    """Reads ``folder/use_case.yaml``.

    Raises:
        UserError: ``invalid_use_case``; the message names the file, the key and what is allowed there.
    """
    path = folder / USE_CASE_FILE
    use_case = load_settings(path, UseCase, code="invalid_use_case")
    clashes = use_case.events.clashing_names(use_case.record_id, use_case.partition_column) if use_case.events else {}
    for key, why in clashes.items():
        raise UserError(
            f"{path.name}: line {line_of(path, *key)}: key '{'.'.join(key)}': {why}: choose another name",
            code="invalid_use_case",
        )
    columns: dict[str, tuple[str, ...]] = {}
    keys: list[tuple[str, tuple[str, ...]]] = [
        (use_case.record_id, ("record_id",)),
        (use_case.partition_column, ("partition_column",)),
        *((name, ("features", name)) for name in use_case.features),
        *([(use_case.labels.column, ("labels", "column"))] if use_case.labels.column else []),
        *((name, ("split", "by")) for name in use_case.kept_columns),
    ]
    for name, key in keys:
        if fault := name_fault(name, columns):
            raise UserError(
                f"{USE_CASE_FILE}: line {line_of(path, *key)}: key {'.'.join(key)!r}: {fault}", code="invalid_use_case"
            )
        columns[name] = key
    return use_case
