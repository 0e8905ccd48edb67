"""Where a made-up model card links to."""

from __future__ import annotations

from tenant_experience.evaluation.model_card import CardLinks

LINKS = CardLinks(
    model="s3://data/models/all/r2/model.tar.gz",
    report="s3://data/reports/r2/0/report.html",
    evaluation="s3://data/reports/r2/0/evaluation.json",
    features="s3://data/features/r2/features.parquet",
    image="123456789012.dkr.ecr.eu-west-1.amazonaws.com/te@sha256:" + "0" * 64,
)
