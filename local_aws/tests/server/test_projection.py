"""Partition projection: which objects are in which partition, and what Athena refuses."""

from __future__ import annotations

import pytest

from local_aws.ministack_patches.athena.projection import Projection, ProjectionError, projection

LOCATION = "s3://data/predictions/"
PARAMETERS = {
    "projection.enabled": "true",
    "projection.use_case.type": "injected",
    "projection.date.type": "date",
    "storage.location.template": LOCATION + "${use_case}/date=${date}/",
}


def of(**changed: str) -> Projection:
    more = {name.replace("__", "."): value for name, value in changed.items()}
    found = projection(LOCATION, ["use_case", "date"], {**PARAMETERS, **more})
    assert found is not None
    return found


def test_a_path_has_a_folder_for_each_key() -> None:
    folders = of().folders
    assert folders("churn/date=2026-01-02/b/part.parquet") == "use_case=churn/date=2026-01-02/b/part.parquet"
    assert folders("churn/2026-01-02/part.parquet") is None
    assert folders("date=2026-01-02/part.parquet") is None


def test_values_that_the_projection_lacks_are_no_partition() -> None:
    folders = of(projection__use_case__type="enum", projection__use_case__values="churn, rent").folders
    assert folders("rent/date=2026-01-02/a") == "use_case=rent/date=2026-01-02/a"
    assert folders("other/date=2026-01-02/a") is None
    folders = of(projection__use_case__type="integer", projection__use_case__range="1,20").folders
    assert folders("20/date=2026-01-02/a") is not None
    assert folders("21/date=2026-01-02/a") is None


def test_an_injected_key_needs_a_value() -> None:
    for query in ("SELECT 1 FROM t WHERE use_case = 'churn'", "select 1 from t where t.\"use_case\" IN ('a')"):
        of().check(query)
    with pytest.raises(ProjectionError, match="injected projected partition column use_case"):
        of().check("SELECT use_case FROM t WHERE date = '2026-01-02'")


def test_what_describes_no_partitions_is_refused() -> None:
    assert projection(LOCATION, ["date"], {}) is None
    with pytest.raises(ProjectionError, match=r"projection\.date\.type"):
        of(projection__date__type="day")
    for template in (LOCATION + "${date}/", "s3://other/${use_case}/${date}/"):
        with pytest.raises(ProjectionError, match=r"storage\.location\.template"):
            of(storage__location__template=template)
