"""The list of tenants to whom an event may happen soon: a CSV file, and the first of each portfolio for the page."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tenant_experience.data_layout import risk_table
from tenant_experience.evaluation.event_risk import EventRisk
from tenant_experience.text_cell import id_cell, text_cell


@dataclass(frozen=True)
class AtRisk:
    """One tenant of the list, as ``EventRisk`` has it."""

    portfolio_id: str
    tenant_id: str
    rank: int
    probability: float


def write_risk_list(risk: EventRisk | None, folder: Path, record_id: str) -> None:
    """Writes a row for each tenant, by portfolio and rank; no file where the list is not shipped.

    Args:
        risk: None where the use case declares none.
        folder: exists.
        record_id: the name of the column of ids, by which the erasure finds it.
    """
    if risk is None or not risk.is_shipped:
        return
    with (folder / risk_table(risk.event)).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("portfolio_id", record_id, "rank", "probability"))
        for row in _rows(risk, len(risk.rank)):
            writer.writerow((text_cell(row.portfolio_id), id_cell(row.tenant_id), row.rank, f"{row.probability:.4f}"))


def first_at_risk(risk: EventRisk | None, most: int) -> list[tuple[str, list[AtRisk]]]:
    """The first of each portfolio; the portfolio of the likeliest comes first.

    Args:
        risk: None where the use case declares none.
        most: tenants of one portfolio.
    """
    if risk is None:
        return []
    found: dict[str, list[AtRisk]] = {}
    for row in _rows(risk, most):
        found.setdefault(row.portfolio_id, []).append(row)
    return sorted(found.items(), key=lambda item: (-item[1][0].probability, item[0]))


def _rows(risk: EventRisk, most: int) -> list[AtRisk]:
    chosen = np.flatnonzero(risk.rank <= most)
    columns = (risk.portfolio_id, risk.tenant_id, risk.rank, risk.probability)
    return [AtRisk(*row) for row in zip(*(column[chosen].tolist() for column in columns), strict=True)]
