"""``use_case.yaml``: the one thing to change for another problem."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, StrictInt, StringConstraints, model_validator

from tenant_experience.errors import UserError
from tenant_experience.manifest import RESERVED_HYPERPARAMETERS, Scope
from tenant_experience.processing import check_processing
from tenant_experience.settings_file import Settings, load_settings
from tenant_experience.tuning import Tuning

USE_CASE_FILE = "use_case.yaml"
SQL_FILE = "features.sql"
SOURCES_FOLDER = "sources"

# A Feature Store feature name, in the lower-case form that is also a SQL identifier.
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Scalar = bool | int | float | str


# The features that ``targets`` are about.
FIRST_RESPONSE, RESOLUTION = TIMED_FEATURES = ("mean_first_response_hr", "mean_full_resolution_hr")

Task = Literal["binary", "multiclass", "regression"]
Method = Literal["kmeans", "gaussian_mixture", "ward"]
Aspect = Literal["service", "demand"]
TrainerName = Literal["xgboost", "hist_gradient_boosting", "linear"]


class Noise(Settings):
    """How a value would differ if the same tenant's year happened again.

    Attributes:
        kind: ``poisson``: a count, told per 365 days; ``gamma``: a mean of positive numbers, such as hours;
            ``binomial``: a rate.
        of: the counts whose sum is how many the mean or the rate is of.
    """

    kind: Literal["poisson", "gamma", "binomial"]
    of: list[Name] = Field(default_factory=list)

    @model_validator(mode="after")
    def _of_something(self) -> Self:
        if (self.kind == "poisson") == bool(self.of):
            raise ValueError("noise.of names counts with kind: gamma and binomial, and only then")
        return self


class Feature(Settings):
    """One feature: what more of it means for the tenant, and how it enters grouping; or a category, without order.

    ``aspect`` says whether it tells of the service a tenant got, or of the demand the tenant made; ``words`` are what
    the API's reasons call it, its name when there are none.
    """

    kind: Literal["number", "category"] = "number"
    aspect: Aspect | None = None
    words: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = None
    more_is: Literal["worse", "better", "neither"] = "neither"
    transform: Literal["log1p", "none"] = "none"
    minimum: float | None = None
    maximum: float | None = None
    noise: Noise | None = None

    @model_validator(mode="after")
    def _categories_have_no_order(self) -> Self:
        ordered = self.model_fields_set & {"more_is", "transform", "minimum", "maximum", "noise"}
        if self.kind == "category" and ordered:
            raise ValueError(f"a category has no {sorted(ordered)}")
        return self

    @property
    def direction(self) -> int:
        """+1 when more is worse, -1 when more is better, 0 when neither."""
        return {"worse": 1, "better": -1, "neither": 0}[self.more_is]


class GroupLimits(Settings):
    """What groups must show before they are called good and bad; the last two only warn.

    Attributes:
        probability_worse: on every marker, a tenant of the worse of two neighbouring groups is worse off with at least
            this probability, ties half.
        stability_median: the median adjusted Rand index of refits on redrawn tenants is at least this.
        stability_minimum: and the smallest is at least this.
        smallest_group: the smallest group has at least so many tenants,
        smallest_share: and at least this share of them.
        structure_ratio: explained variance is at least so many times that of columns shuffled one by one.
        continuum_margin: explained variance exceeds that of data without groups by more than this.
        service_auc: features of service alone tell the groups apart at least so well.
    """

    probability_worse: float = Field(default=0.55, ge=0.5, le=1)
    stability_median: float = Field(default=0.90, ge=0, le=1)
    stability_minimum: float = Field(default=0.80, ge=0, le=1)
    smallest_group: int = Field(default=30, ge=1)
    smallest_share: float = Field(default=0.05, ge=0, lt=0.5)
    structure_ratio: float = Field(default=1.2, ge=1)
    continuum_margin: float = Field(default=0.02, ge=0, le=1)
    service_auc: float = Field(default=0.80, ge=0.5, le=1)


class Clustering(Settings):
    """On which features groups are found, how, and which features must agree without having been used."""

    markers: list[Name] = Field(min_length=2)
    checks: list[Name] = Field(default_factory=list)
    method: Method = "kmeans"
    groups: Literal[2, 3] = 2
    limits: GroupLimits = GroupLimits()


class Labels(Settings):
    """What a model learns to tell.

    Attributes:
        from_: ``clusters``: the group a tenant falls into; ``column``: what the data says.
        column: which one; a tenant without a value there teaches nothing.
        classes: its values, in the order of their numbers; None when it holds a number.
        positive: the last of the classes, whose probability is told; None: no class is more wanted than another.
        outcome: what the API's reasons call the positive class; its name when there is nothing here.
    """

    from_: Literal["clusters", "column"] = Field(alias="from")
    column: Name | None = None
    classes: list[Name] | None = Field(default=None, min_length=2)
    positive: Name | None = None
    outcome: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = None

    @property
    def task(self) -> Task:
        """What kind of learning this is."""
        if self.classes is None:
            return "regression"
        return "binary" if len(self.classes) == 2 else "multiclass"

    def check_classes(self, values: Iterable[str]) -> None:
        """Refuses values of the column that are none of the classes.

        Raises:
            UserError: ``unknown_class``, naming the first by the alphabet.
        """
        unknown = sorted(set(values) - set(self.classes or ()))
        if unknown:
            raise UserError(
                f"column {self.column!r} holds {unknown[0]!r}, which is none of labels.classes "
                f"{', '.join(self.classes or ())}: name it in use_case.yaml, or map it in the source",
                code="unknown_class",
            )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if (self.column is not None) != (self.from_ == "column"):
            raise ValueError("labels.column is wanted with from: column, and only then")
        classes = self.classes or []
        if len(set(classes)) != len(classes):
            raise ValueError("labels.classes names a class twice")
        if self.from_ == "clusters" and not classes:
            raise ValueError("labels.classes are wanted with from: clusters")
        if self.positive is None and (self.from_ == "clusters" or self.task == "binary"):
            raise ValueError("labels.positive is wanted: the last of labels.classes")
        if self.outcome is not None and self.positive is None:
            raise ValueError("labels.outcome is the positive class in words: there is none")
        if self.positive is not None and (not classes or self.positive != classes[-1]):
            raise ValueError(f"labels.positive {self.positive!r} is not the last of labels.classes")
        return self


class Models(Settings):
    """How many models there are.

    Attributes:
        scope: one for all, or one for each portfolio with at least ``minimum_tenants`` that may train.
        minimum_tenants: see ``scope``.
        fallback: whether a global model answers for the portfolios that have none of their own.
        shard_size: models of one training job.
    """

    scope: Scope = "global"
    fallback: bool = True
    minimum_tenants: int = Field(default=2_000, ge=1)
    shard_size: int = Field(default=10, ge=1, le=1_000)


class History(Settings):
    """Days: the window that events are counted in, and the exposure a tenant needs."""

    window_days: int = Field(default=365, ge=1, le=3_650)
    minimum_days: int = Field(default=90, ge=0)
    provisional_below: int = Field(default=180, ge=0)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.minimum_days <= self.provisional_below <= self.window_days:
            raise ValueError("minimum_days <= provisional_below <= window_days must hold")
        return self


class Gates(Settings):
    """Limits that refuse a release; null switches one off, all but ``pooled_tenants``.

    ``feature_shift``, ``null_share`` and ``vanished_portfolios`` compare with the release that is live. From
    ``roc_auc`` on they refuse one model, not the release.

    Attributes:
        quarantine_share: of the rows read, at most this share is refused.
        failed_records_share: of the tenants an instance ingests, at most this share, rounded up, is not written.
        pooled_tenants: at least this many tenants may train.
        freshness_days: the newest event is at most this much older than ``as_of``.
        feature_shift: no feature's PSI is above this, nor that of labels from a column.
        null_share: no feature's share of tenants without a value grows by more, nor that of tenants without a label.
        vanished_portfolios: at most this share of the portfolios is gone.
        roc_auc: of a model, at least.
        r2: of a model that tells a number: at least this share of the variance is explained.
        calibration_error: of a model, at most.
        missing_accuracy: a model's accuracy when three features of each tenant are missing, at least.
        champion_loss: on the same tenants a model's log loss is at most so much above that of the model that is live;
            of numbers, the root mean squared error at most this share of it.
    """

    quarantine_share: float | None = Field(default=0.05, ge=0, le=1)
    failed_records_share: float | None = Field(default=0.001, ge=0, le=1)
    pooled_tenants: int = Field(default=500, ge=1)
    freshness_days: int | None = Field(default=45, ge=0)
    feature_shift: float | None = Field(default=1.0, gt=0)
    null_share: float | None = Field(default=0.25, ge=0, le=1)
    vanished_portfolios: float | None = Field(default=0.5, ge=0, le=1)
    roc_auc: float | None = Field(default=0.6, ge=0, le=1)
    r2: float | None = Field(default=None, le=1)
    calibration_error: float | None = Field(default=0.2, ge=0, le=1)
    missing_accuracy: float | None = Field(default=None, ge=0, le=1)
    champion_loss: float | None = Field(default=0.02, ge=0)


class Processing(Settings):
    """What builds features: DuckDB in one process, or Spark on ``instances`` machines."""

    engine: str = "duckdb"
    instances: StrictInt = 1

    @model_validator(mode="after")
    def _possible(self) -> Self:
        check_processing(self.engine, self.instances)
        return self


class Approval(Settings):
    """Who lets a release pass."""

    mode: Literal["manual"] = "manual"


class Targets(Settings):
    """What a tenant may expect, in hours: until the first response, and until the matter is resolved."""

    first_response_hr: float = Field(gt=0)
    resolution_hr: float = Field(gt=0)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.first_response_hr > self.resolution_hr:
            raise ValueError("first_response_hr <= resolution_hr must hold")
        return self


class Costs(Settings):
    """What a false alarm and a miss cost, relative to each other; of two classes only."""

    false_alarm: float = Field(default=1, gt=0, allow_inf_nan=False)
    miss: float = Field(default=1, gt=0, allow_inf_nan=False)

    @property
    def threshold(self) -> float:
        """The probability of the positive class from which to say so costs less than not to, where it is calibrated."""
        return self.false_alarm / (self.false_alarm + self.miss)


class UseCase(Settings):
    """A whole ``use_case.yaml``.

    ``features`` keeps the file's order: it is the order the model reads them in. ``masking`` is the share of them that
    is hidden in a second copy of the rows a model learns from; 0: there is no copy. ``targets`` and ``capacity``
    (tenants of one portfolio) make the list to act on; without targets there is none. ``contacts`` are features that
    count contacts of one kind each: figures are also told by the kind that a tenant has most of.
    """

    name: Name
    record_id: Name
    partition_column: Name
    default_source: Name
    features: dict[Name, Feature] = Field(min_length=1)
    clustering: Clustering | None = None
    labels: Labels
    models: Models = Models()
    history: History = History()
    trainer: TrainerName = "xgboost"
    hyperparameters: dict[str, Scalar] = Field(default_factory=dict)
    tuning: Tuning = Tuning()
    masking: float = Field(default=0, ge=0, lt=1)
    gates: Gates = Gates()
    processing: Processing = Processing()
    approval: Approval = Approval()
    costs: Costs = Costs()
    contacts: list[Name] = Field(default_factory=list)
    targets: Targets | None = None
    capacity: int = Field(default=10, ge=1, le=1_000)

    @property
    def feature_names(self) -> list[str]:
        """Names of the features, in order."""
        return list(self.features)

    @property
    def grouped(self) -> Clustering:
        """How groups are found, where labels come from clusters."""
        if self.clustering is None:
            raise ValueError(f"labels of {self.name} do not come from clusters")
        return self.clustering

    @property
    def categories(self) -> list[str]:
        """Names of the features that are categories, in order."""
        return [name for name, feature in self.features.items() if feature.kind == "category"]

    @property
    def noise(self) -> dict[str, Noise]:
        """How features are noisy, by name, where it is known."""
        return {name: feature.noise for name, feature in self.features.items() if feature.noise}

    @model_validator(mode="after")
    def _noise_is_of_counts(self) -> Self:
        counts = [name for name, noise in self.noise.items() if noise.kind == "poisson"]
        for name, noise in self.noise.items():
            others = [each for each in noise.of if each not in counts]
            if others:
                raise ValueError(f"features.{name}.noise.of names {others}, not features with noise: {{kind: poisson}}")
        return self

    @model_validator(mode="after")
    def _groups_can_be_found(self) -> Self:
        if (self.clustering is not None) != (self.labels.from_ == "clusters"):
            raise ValueError("clustering is wanted with labels.from: clusters, and only then")
        if self.clustering is None:
            return self
        classes = self.labels.classes or []
        if len(classes) != self.clustering.groups:
            raise ValueError(f"labels.classes {classes} do not name clustering.groups: {self.clustering.groups} groups")
        for key in ("markers", "checks"):
            unknown = [name for name in getattr(self.clustering, key) if name not in self.features]
            if unknown:
                raise ValueError(f"clustering.{key} names {unknown}, not among the features {self.feature_names}")
        neither = [name for name in self.clustering.markers if self.features[name].direction == 0]
        if neither:
            raise ValueError(f"clustering.markers {neither} have more_is: neither; a marker is worse or better")
        return self

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.labels.column in (*self.features, self.record_id, self.partition_column):
            raise ValueError(
                f"labels.column {self.labels.column!r} is a feature or an id: nothing would be left to learn"
            )
        uncounted = [name for name in self.contacts if name not in self.features or name in self.categories]
        if uncounted:
            raise ValueError(f"contacts names {uncounted}, which are no features that count")
        untimed = [name for name in TIMED_FEATURES if self.targets and name not in self.features]
        if untimed:
            raise ValueError(f"targets are compared with the feature {untimed[0]!r}, which is not among the features")
        if self.models.scope == "global" and not self.models.fallback:
            raise ValueError("models.fallback: false leaves no model at all under scope: global")
        if "costs" in self.model_fields_set and self.labels.task != "binary":
            raise ValueError("costs are of two classes: with more, or a number, there is no threshold they could set")
        reserved = sorted(RESERVED_HYPERPARAMETERS & self.hyperparameters.keys())
        if reserved:
            raise ValueError(f"hyperparameters {reserved} are set by the state machine")
        return self


def load_use_case(folder: Path) -> UseCase:
    """Reads ``folder/use_case.yaml``.

    Raises:
        UserError: ``invalid_use_case``; the message names the file, the key and what is allowed there.
    """
    return load_settings(folder / USE_CASE_FILE, UseCase, code="invalid_use_case")
