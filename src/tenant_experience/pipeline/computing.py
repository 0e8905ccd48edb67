"""What a batch's features are computed with: of its own moment, of earlier periods, and for the list of risk."""

from __future__ import annotations

from datetime import datetime

from tenant_experience.data_layout import RISK_FILE
from tenant_experience.features.contract import RefusedFeatures
from tenant_experience.features.later_events import examples_from_events
from tenant_experience.features.past import write_past_features
from tenant_experience.features.risk import write_risk_examples
from tenant_experience.features.sql import features_from_events, features_from_table
from tenant_experience.features.statements import read_sql
from tenant_experience.intake.activities import view_cases
from tenant_experience.intake.engine import ProcessingEngine
from tenant_experience.intake.events import view_all_events
from tenant_experience.pipeline.batch import Batch, Folders


def compute_features(
    engine: ProcessingEngine, batch: Batch, folders: Folders, *, learns: bool = True
) -> RefusedFeatures | None:
    """Fills the connection's table ``features`` from what was read, and ``examples`` where labels are later events.

    Args:
        engine: holds what was read.
        batch: the use case and the moment.
        folders: of the batch.
        learns: whether a model will be trained; without, there are no examples.

    Returns:
        The records that were refused after they were computed; None for a ready-made table.
    """
    if batch.source.has_events:
        look_back(engine, batch, batch.as_of)
        sql, train = read_sql(folders.use_case), batch.manifest.train
        refused = features_from_events(engine, batch.use_case, sql, batch.as_of, train=train, unknown=batch.unknown)
        if learns and train and batch.use_case.labels.from_ == "events":
            examples_from_events(engine, batch.use_case, batch.source, sql, batch.as_of, unknown=batch.unknown)
        return refused
    features_from_table(engine.connection, batch.use_case, batch.as_of)
    return None


def compute_past_features(engine: ProcessingEngine, batch: Batch, folders: Folders) -> list[int]:
    """Writes the features of earlier periods, where they are of use: where labels come from groups of events' features.

    Returns:
        How many days before the batch's ``as_of`` each of these periods ends.
    """
    if not batch.source.has_events or batch.use_case.clustering is None:
        return []
    sql = read_sql(folders.use_case)

    def know(moment: datetime) -> None:
        look_back(engine, batch, moment)

    return write_past_features(engine, batch.use_case, sql, batch.as_of, folders.features, know, batch.unknown)


def compute_risk_examples(engine: ProcessingEngine, batch: Batch, folders: Folders) -> str | None:
    """Writes what the list of risk is learned from.

    Returns:
        Why there is nothing to learn from, in words; None where there is, or the use case declares no risk.
    """
    risk = batch.use_case.risk
    if risk is None:
        return None
    if not batch.source.has_events:
        return f"the source {batch.source_name} has no events, so nobody knows to whom it happened"
    sql, path = read_sql(folders.use_case), folders.features / RISK_FILE
    return write_risk_examples(engine, batch.use_case, risk, batch.source, sql, batch.as_of, path, batch.unknown)


def look_back(engine: ProcessingEngine, batch: Batch, as_of: datetime) -> None:
    """Makes ``events`` what was known of the cases of an activity log at this moment, and of deletions."""
    if batch.has_deletions:
        view_all_events(engine, batch.source, as_of)
    if batch.source.kind == "activities":
        view_cases(engine, batch.source, batch.use_case, as_of)
