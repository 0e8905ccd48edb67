"""Evaluates and packs the models of a shard, one partition after another."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tenant_experience.data_layout import (
    FEATURES_FILE,
    GROUPING_FILE,
    GROUPS_FILE,
    MODEL_MANIFEST,
    NEXT_PERIOD_FILE,
    VALIDATION_FILE,
    YARDSTICK_FILE,
    model_archive,
)
from tenant_experience.errors import AlgorithmError, TenantExperienceError
from tenant_experience.evaluation.champion import Champion
from tenant_experience.evaluation.evaluation import PartitionEvaluation
from tenant_experience.evaluation.event_risk import EventRisk, assess_risk
from tenant_experience.evaluation.gates import check_gates
from tenant_experience.evaluation.outcome_validation import OutsideTruth
from tenant_experience.evaluation.partition import LiveModel, evaluate_partition
from tenant_experience.features.risk_examples import read_risk_examples
from tenant_experience.features.table import FeatureTable, read_answers_and_examples, read_past_features
from tenant_experience.features.tenant_outcomes import read_tenant_outcomes
from tenant_experience.groups.file import GroupRows, read_groups
from tenant_experience.jobs.archive import write_archive
from tenant_experience.jobs.partition_runs import Figures, Partition, PartitionOutcome
from tenant_experience.models.digests import packed_digest
from tenant_experience.use_case.schema import UseCase

_log = logging.getLogger("evaluation")
# Of one partition, in the outcome: the report has all.
MOST_NOTES = 5


@dataclass(frozen=True)
class ShardEvaluation:
    """Evaluates partitions, and keeps the results.

    Attributes:
        release: the version of every model made.
        use_case: names, directions and gates.
        table: the rows of the release to learn from.
        clusters: holds groups.parquet.
        trained: a folder per partition's slug with its model.
        archives: where models are packed.
        champion_of: the live model of a partition, by slug; None when it has none.
        previous: the rows that the live release learned from; None when they cannot be read.
        truth: what became of tenants; None when the batch does not say it.
        answers: the row of each tenant that answers, where ``table`` may have several.
        risk: the list of an event that may happen soon; None where the use case declares none.
        ready: evaluations of models that kept every gate.
        refused: evaluations of models that broke a gate.
        groups: partition slug -> its rows of groups.parquet, of the partitions that were evaluated.
    """

    release: str
    use_case: UseCase
    table: FeatureTable
    clusters: Path
    trained: Path
    archives: Path
    champion_of: Callable[[str], Champion | None]
    previous: FeatureTable | None
    truth: OutsideTruth | None = None
    answers: FeatureTable | None = None
    risk: EventRisk | None = None
    ready: list[PartitionEvaluation] = field(default_factory=list)
    refused: list[PartitionEvaluation] = field(default_factory=list)
    groups: dict[str, GroupRows] = field(default_factory=dict)

    def evaluate(self, partition: Partition) -> Figures:
        """Evaluates one partition's model, and packs it unless it breaks a gate.

        Returns:
            Figures for the outcome.

        Raises:
            AlgorithmError: ``one_class``, ``worse_than_champion`` or ``gate_<name>``.
        """
        folder = self.trained / partition.slug
        groups = read_groups(self.clusters / GROUPS_FILE, partition.slug, self.use_case.labels)
        live = self._live(partition.slug)
        evaluation = evaluate_partition(
            self.table, groups, folder, self.use_case, live, self.truth, answers=self.answers
        )
        broken = any(not gate.passed for gate in evaluation.gates)
        (self.refused if broken else self.ready).append(evaluation)
        self.groups[partition.slug] = groups
        _check_gates(partition, evaluation)
        key = model_archive(partition.slug, self.release)
        of_groups = (GROUPING_FILE, NEXT_PERIOD_FILE) if self.use_case.clustering else ()
        names = (evaluation.manifest.model_file, MODEL_MANIFEST, *of_groups)
        if evaluation.validation.outcomes:
            evaluation.validation.write(folder)
            evaluation.manifest.write(folder)  # with its digest, so that it cannot be exchanged
        # Groups of an earlier version of this program have no yardstick.
        beside = [path for name in (YARDSTICK_FILE, VALIDATION_FILE) if (path := folder / name).is_file()]
        write_archive(self.archives / key, [*(folder / name for name in names), *beside])
        return {
            "model_key": key,
            "digest": packed_digest(folder),
            "version": self.release,
            "scale": evaluation.manifest.scale,
            "metrics": evaluation.metrics,
            "intervals": evaluation.intervals,
            "tenants": evaluation.split.records if evaluation.split else evaluation.tenants,
            "bad_share": evaluation.bad_share,
            "validation": evaluation.validation.headline,
            "notes": self._notes(evaluation)[:MOST_NOTES],
        }

    def with_notes(self, outcome: PartitionOutcome) -> PartitionOutcome:
        """The same; of a model that broke a gate also what has changed by the frozen rule, for the approver."""
        of_refused = {each.manifest.slug: each.yardstick_sentences for each in self.refused}
        notes = of_refused.get(outcome.slug)
        return replace(outcome, figures={**outcome.figures, "notes": notes}) if notes else outcome

    def document(self, shard: int) -> dict[str, Any]:
        """``evaluation.json``: the ready models as ``partitions``, those that broke a gate as ``refused``."""
        return {
            "release": self.release,
            "shard": shard,
            "partitions": [evaluation.document() for evaluation in self.ready],
            "refused": [evaluation.document() for evaluation in self.refused],
            **({"risk": self.risk.document()} if self.risk else {}),
        }

    def _notes(self, evaluation: PartitionEvaluation) -> list[str]:
        """What the approver should know, first what speaks most against the model: only the first notes are shown."""
        said = [*evaluation.by_chance, *evaluation.yardstick_sentences, *self.offers(evaluation), *evaluation.warnings]
        return list(dict.fromkeys(said))

    def offers(self, evaluation: PartitionEvaluation) -> list[str]:
        """What is offered beside the answers of a model, in sentences."""
        offered = _better_scores(evaluation)
        if self.risk is not None and self.risk.is_shipped and evaluation is self.ready[0]:  # it is about all of them
            offered.append(f"{self.risk.text}.")
        return offered

    def _live(self, slug: str) -> LiveModel | None:
        champion = self.champion_of(slug)
        if champion is None:
            return None
        return LiveModel(champion, None if self.previous is None else self.previous.of_partition(slug))


def _better_scores(evaluation: PartitionEvaluation) -> list[str]:
    """What the approver is offered beside the groups."""
    return [f"{score.text}." for score in evaluation.supervised if score.is_better]


def _check_gates(partition: Partition, evaluation: PartitionEvaluation) -> None:
    """As ``check_gates``; a refusal also says how many tenants are bad by the rule that does not change."""
    try:
        check_gates(partition.partition, evaluation.gates)
    except AlgorithmError as refusal:
        said = [refusal.message, *evaluation.yardstick_sentences[:1]]
        raise AlgorithmError(". ".join(each.rstrip(".") for each in said), code=refusal.code) from refusal


def read_previous(folder: Path, use_case: UseCase) -> tuple[FeatureTable, FeatureTable] | None:
    """What the live release answers with and what it learned from; None without one that this use case can read.

    Args:
        folder: its ``features/``; may be missing.
        use_case: of this release.
    """
    if not (folder / FEATURES_FILE).is_file():
        return None
    try:
        return read_answers_and_examples(folder, use_case)
    except TenantExperienceError as error:
        _log.warning("the live release's features are not compared: %s", error)
        return None


def read_outside_truth(
    folder: Path, use_case: UseCase, table: FeatureTable, previous: FeatureTable | None
) -> OutsideTruth | None:
    """What became of the tenants of a release, and the features of earlier moments to compare it with.

    Args:
        folder: of the release's features.
        use_case: of this release.
        table: the release's features.
        previous: those of the live release: outcomes since then follow it.
    """
    outcomes = read_tenant_outcomes(folder, use_case.record_id)
    if outcomes is None:
        return None
    earlier = [previous] if previous is not None and previous.as_of < table.as_of else []
    return OutsideTruth(outcomes, [*earlier, *read_past_features(folder, use_case)])


def read_risk(folder: Path, use_case: UseCase, table: FeatureTable, obstacle: str | None) -> EventRisk | None:
    """The list of an event that may happen soon, or why there is none; None where the use case declares no risk.

    Args:
        folder: of the release's features.
        use_case: of this release.
        table: the tenants to list.
        obstacle: why BuildFeatures wrote nothing to learn from, if it did not.
    """
    if use_case.risk is None:
        return None
    examples = read_risk_examples(folder, use_case.risk, use_case)
    return assess_risk(use_case.risk, use_case, examples, table, obstacle)


def write_group_changes(evaluations: Sequence[PartitionEvaluation], path: Path) -> None:
    """Writes which tenants changed group, for all partitions; no file when nothing was compared."""
    tables = [each.moved.to_arrow(each.manifest.slug) for each in evaluations if each.moved]
    if tables:
        pq.write_table(pa.concat_tables(tables), path)
