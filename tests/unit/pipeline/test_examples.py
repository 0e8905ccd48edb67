"""Several rows for a record: all of them train and test models, and the latest answers."""

from __future__ import annotations

import io
import json
import re
import shutil
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from operations.batch import read_input
from operations.preview import preview
from tenant_experience.errors import TenantExperienceError, UserError
from tenant_experience.evaluation._split import describe_split
from tenant_experience.features.table import FeatureTable, read_answers_and_examples, read_examples, read_features
from tenant_experience.groups.column_labels import label_partition
from tenant_experience.groups.file import GroupRows, read_groups, to_arrow, write_groups
from tenant_experience.groups.split import fitted_tenants, split_tenants
from tenant_experience.jobs.partition_runs import Partition
from tenant_experience.pipeline.split_files import write_split_files
from tenant_experience.pseudonyms import pseudonym
from tenant_experience.statistics.splitting import TEST, TRAIN, split_rows
from tenant_experience.use_case.schema import UseCase, load_use_case
from tests.support import residues
from tests.support.judged_partition import Judged
from tests.support.loans import loans
from tests.support.written_use_case import AS_OF, Written, events_of, table_of

ALL = Partition("all", "all")
SQL = """
SELECT tenant_id, portfolio_id, opened_at AS as_of, row_number() OVER (PARTITION BY tenant_id ORDER BY opened_at) - 1.0
  AS calls, CASE WHEN hash(event_id) % 2 = 0 THEN 'few' ELSE 'many' END AS outcome FROM events
"""


def built(written: Written) -> tuple[Path, UseCase]:
    written.build()
    return written.base / "job/features", load_use_case(written.folder)


def parts(written: Written) -> tuple[FeatureTable, GroupRows, UseCase]:
    """The rows with their parts, in the same order."""
    folder, use_case = built(written)
    examples = read_examples(folder, use_case)
    rows = label_partition(examples, ALL, use_case)
    return rows.align(examples), rows, use_case


def test_all_rows_with_a_label_are_examples_and_the_latest_row_answers(tmp_path: Path) -> None:
    written = loans(tmp_path)
    folder, use_case = built(written)
    of_client: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for client, moment, outcome in zip(*(written.rows[name] for name in ("c", "granted", "o")), strict=True):
        of_client[client].append((moment, outcome))
    labelled = {f"{client}@{at}" for client, loans_ in of_client.items() for at, outcome in loans_ if outcome}

    answers, examples = read_answers_and_examples(folder, use_case)

    assert set(examples.example_id.tolist()) == labelled
    assert examples.records == sum(any(outcome for _, outcome in each) for each in of_client.values())
    assert set(answers.tenant_id.tolist()) == set(of_client)
    newest = {client: max(each)[0].removesuffix("Z") for client, each in of_client.items()}
    assert answers.moments is not None
    assert dict(zip(answers.tenant_id.tolist(), np.datetime_as_string(answers.moments, "s"), strict=True)) == newest
    columns = pq.read_schema(folder / "features.parquet").names
    assert pq.read_schema(folder / "examples.parquet").names == [*columns, "example_id"]


def test_without_examples_one_file_is_both(tmp_path: Path) -> None:
    folder, use_case = built(table_of(tmp_path))

    answers, examples = read_answers_and_examples(folder, use_case)

    assert answers is examples
    assert not (folder / "examples.parquet").exists()
    assert examples.example_id is examples.tenant_id
    assert examples.label is not None
    expected = split_rows(examples.row_keys(), examples.label.astype(int))
    np.testing.assert_array_equal(split_tenants(examples, use_case), expected)


def test_labels_of_all_rows_are_compared_with_those_of_the_live_release(tmp_path: Path) -> None:
    written = loans(tmp_path)
    outcome = written.build()
    shutil.copytree(tmp_path / "job/features", tmp_path / "live")
    outcome.write(tmp_path / "live")
    written.rows["o"] = ["leaves" if outcome else "" for outcome in written.rows["o"]]
    written.rows["o"][:2] = ["stays", "leaves"]
    no_gates = {**written.settings, "gates": {**written.settings["gates"], "feature_shift": None}}
    later = Written(tmp_path / "later", no_gates, written.source, written.rows)

    later.build(previous=tmp_path / "live")

    found = json.loads((tmp_path / "later/job/reports/data_quality.json").read_text())
    labels = found["labels"]
    assert found["examples"] == sum(bool(outcome) for outcome in written.rows["o"])
    assert labels["shift"] is not None
    shares = {each["value"]: each["now"] for each in labels["common"]}
    assert shares == {"leaves": 1 - 1 / found["examples"], "stays": 1 / found["examples"]}


def test_features_sql_may_give_several_rows(tmp_path: Path) -> None:
    written = events_of(tmp_path, SQL, examples="several")

    folder, use_case = built(written)

    answers, examples = read_answers_and_examples(folder, use_case)
    assert (len(answers), len(examples), examples.records) == (120, 300, 120)
    assert set(answers.column("calls").tolist()) == {1.0, 2.0}


def test_a_release_of_several_rows_is_trained_and_evaluated(tmp_path: Path) -> None:
    written = loans(tmp_path, split={"by": "client", "time": True})
    assert written.preview().refusals == []

    assert written.release() == ["all"]


def test_preview_and_report_do_not_call_rows_records(tmp_path: Path) -> None:
    written = loans(tmp_path, columns={"branch": "city"})
    told = io.StringIO()
    preview(read_input(written.export, written.folder, None, AS_OF), written.folder, [], 2, Console(file=told))
    assert re.search(r"│ examples +│ \d+", told.getvalue())

    written.release()
    table, rows, use_case = parts(written)
    html = Judged(written.evaluations["all"], table, rows, use_case, ALL).report()
    headers = re.findall(r"<th scope=\"col\"\s+class=\"n\">(\w+)</th>", html)
    assert headers.count("Rows") >= 2
    assert "Records" not in headers


def test_columns_may_have_the_names_of_ours(tmp_path: Path) -> None:
    plain = loans(tmp_path / "plain")
    names = {"client": "slug", "branch": "portfolio", "amount": "label", "colour": "split", "outcome": "order"}
    settings = plain.settings | {
        "record_id": "slug",
        "partition_column": "portfolio",
        "features": {"label": {}, "split": {"kind": "category"}},
        "labels": plain.settings["labels"] | {"column": "order"},
        "split": {"by": "group", "time": True},
    }
    columns = {names.get(ours, ours): column for ours, column in plain.source["columns"].items()} | {"group": "city"}
    hostile = Written(tmp_path / "hostile", settings, {"kind": "table", "columns": columns}, plain.rows)

    assert hostile.release() == ["all"]


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        (SQL.replace("opened_at AS as_of,", ""), "gives no column 'as_of'"),
        (SQL.replace("opened_at AS as_of", "$as_of AS as_of"), "120 pairs of tenant_id and as_of"),
        (SQL.replace("portfolio_id,", "portfolio_id, 7 AS city,"), "does not name"),
    ],
)
def test_broken_results_are_refused(tmp_path: Path, sql: str, words: str) -> None:
    with pytest.raises(UserError) as refused:
        events_of(tmp_path, sql, examples="several").build()

    assert words in refused.value.message


def test_different_rows_of_one_moment_and_rows_of_the_future_are_refused(tmp_path: Path) -> None:
    twice = loans(tmp_path / "a", columns={"as_of": "date_trunc('year', CAST(\"granted\" AS TIMESTAMPTZ))"})
    future = loans(tmp_path / "b", columns={"as_of": 'CAST("granted" AS TIMESTAMPTZ) + INTERVAL 5 YEAR'})

    for written, code in ((twice, "conflicting_ids"), (future, "invalid_features")):
        with pytest.raises(UserError) as refused:
            written.build()
        assert refused.value.code == code


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"split": {"by": "amount"}}, "a number"),
        ({"split": {"by": "outcome"}}, "labels.column"),
        ({"split": {"by": "history"}}, "this application gives"),
        ({"split": {"by": "rows"}, "partition_column": "rows"}, "rename the column"),
        ({"examples": "many"}, "'one' or 'several'"),
    ],
)
def test_splits_that_cannot_be_are_refused(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError) as refused:
        load_use_case(loans(tmp_path, **changes).folder)

    assert words in refused.value.message
    assert "use_case.yaml" in refused.value.message


def test_rows_of_a_client_stay_together(tmp_path: Path) -> None:
    table, rows, _ = parts(loans(tmp_path))

    together = {client: set(rows.split[table.tenant_id == client]) for client in table.tenant_id.tolist()}

    assert all(len(each) == 1 for each in together.values())
    for part, share in ((TRAIN, 0.7), (TEST, 0.1)):
        assert abs(np.mean(rows.split == part) - share) < 0.03
        assert abs(rows.label[rows.split == part].mean() - rows.label.mean()) < 0.05


@pytest.mark.parametrize("column", ["city", "colour", "branch"])
def test_rows_of_a_column_stay_together(tmp_path: Path, column: str) -> None:
    written = loans(tmp_path, columns={"city": "city"} if column == "city" else {}, split={"by": column})
    if column == "branch":
        with pytest.raises(TenantExperienceError) as refused:
            parts(written)
        assert refused.value.code == "too_few_groups"
        return

    table, rows, use_case = parts(written)

    values = table.split_values
    assert values is not None
    assert all(len(set(rows.split[values == each])) == 1 for each in set(values.tolist()))
    assert len(set(rows.split)) == 3
    assert use_case.kept_columns == (["city"] if column == "city" else [])
    assert describe_split(table, rows, use_case).text.startswith(f"Split by {column}; ")


def test_the_kept_column_is_no_feature(tmp_path: Path) -> None:
    folder, use_case = built(loans(tmp_path, columns={"city": "city"}, split={"by": "city"}))

    assert "city" in pq.read_schema(folder / "features.parquet").names
    assert "city" not in read_features(folder / "features.parquet", use_case).features


def test_rows_in_order_of_time(tmp_path: Path) -> None:
    table, rows, use_case = parts(loans(tmp_path, split={"time": True}))

    assert table.moments is not None
    until, begin = table.moments[rows.split == TRAIN].max(), table.moments[rows.split == TEST].min()
    assert until < begin
    assert describe_split(table, rows, use_case).text == (
        f"Split in order of time: trained on rows up to {until.astype('datetime64[s]')}Z, tested on rows from "
        f"{begin.astype('datetime64[s]')}Z; {len(table):,} rows of {table.records:,} records have a label."
    )


def test_clients_in_order_of_their_latest_row(tmp_path: Path) -> None:
    table, rows, use_case = parts(loans(tmp_path, split={"by": "record", "time": True}))

    latest: dict[str, dict[str, Any]] = defaultdict(dict)
    assert table.moments is not None
    for client, moment, part in zip(table.tenant_id.tolist(), table.moments, rows.split.tolist(), strict=True):
        assert latest[client].setdefault("part", part) == part
        latest[client]["time"] = max(moment, latest[client].get("time", moment))
    train, test = ([each["time"] for each in latest.values() if each["part"] == part] for part in (TRAIN, TEST))
    assert max(train) < min(test)
    assert "trained on each record whose latest row is up to" in describe_split(table, rows, use_case).text


def test_too_few_times_are_refused(tmp_path: Path) -> None:
    written = table_of(tmp_path, split={"time": True})
    assert [each[0] for each in written.preview().refusals] == ["too_few_times"]


@pytest.mark.parametrize("split", [{}, {"by": "city"}, {"by": "client", "time": True}, {"time": True}])
def test_other_ids_are_split_in_the_same_way(tmp_path: Path, split: dict[str, Any]) -> None:
    found = []
    for name in ("plain", "hidden"):
        written = loans(tmp_path / name, columns={"city": "city"} if split.get("by") == "city" else {}, split=split)
        if name == "hidden":
            written.rows["c"] = [pseudonym(b"key", each) for each in written.rows["c"]]
            written = Written(tmp_path / "again", written.settings, written.source, written.rows)
        table, rows, _ = parts(written)
        figures = zip(table.values.tolist(), np.asarray(table.moments).tolist(), rows.split.tolist(), strict=True)
        found.append(sorted((str(values), str(moment), part) for values, moment, part in figures))

    assert found[0] == found[1]


@pytest.mark.parametrize("split", [{}, {"by": "city"}])
def test_other_ids_are_split_in_the_same_way_where_many_rows_are_alike(tmp_path: Path, split: dict[str, Any]) -> None:
    """Rows of clients who differ in other rows only: whose they are must not depend on ids."""
    found = []
    labels = {"from": "column", "column": "outcome"}
    plain = loans(tmp_path / "plain", 300, {"city": "city"} if split else {}, split=split, labels=labels)
    plain.rows["a"] = [place % 3 for place in range(len(plain.rows["a"]))]
    plain.rows["o"] = [place // 5 % 4 for place in range(len(plain.rows["a"]))]
    plain.rows["granted"] = [f"{moment[:4]}-01-{1 + place % 3}" for place, moment in enumerate(plain.rows["granted"])]
    seen: dict[tuple[str, str], int] = {}
    for place, key in enumerate(zip(plain.rows["c"], plain.rows["granted"], strict=True)):
        seen[key] = seen.get(key, -1) + 1
        plain.rows["granted"][place] = f"{key[1][:4]}-{1 + seen[key]:02}-{key[1][8:]:0>2}"
    for name in ("first", "hidden"):
        ids = [pseudonym(b"key", each) if name == "hidden" else each for each in plain.rows["c"]]
        written = Written(tmp_path / name, plain.settings, plain.source, {**plain.rows, "c": ids})
        table, rows, _ = parts(written)
        figures = zip(table.values.tolist(), np.asarray(table.moments).tolist(), rows.label, rows.split, strict=True)
        found.append(sorted((str(values), str(moment), label, part) for values, moment, label, part in figures))

    assert len({each[:3] for each in found[0]}) < len(found[0]) / 3
    assert found[0] == found[1]


def test_pseudonyms_stand_for_ids_in_everything(tmp_path: Path) -> None:
    written, key = loans(tmp_path, columns={"city": "city"}, split={"by": "city"}), b"k" * 64
    written.build()
    plain = read_examples(tmp_path / "job/features", load_use_case(written.folder))
    written.build(pseudonym_key=key)
    use_case = load_use_case(written.folder)
    hidden = read_examples(tmp_path / "job/features", use_case)
    rows = label_partition(hidden, ALL, use_case)
    write_split_files(tmp_path / "job/splits/all", rows, hidden, use_case)
    write_groups([to_arrow(rows, "all")], tmp_path / "job/groups.parquet")

    shutil.rmtree(tmp_path / "job/raw")

    assert residues.in_folder(tmp_path / "job", "CLIENT-") == []
    expected = {f"{pseudonym(key, each.partition('@')[0])}@{each.partition('@')[2]}" for each in plain.example_id}
    assert set(hidden.example_id.tolist()) == expected


def test_groups_are_found_again_by_example(tmp_path: Path) -> None:
    folder, use_case = built(loans(tmp_path))
    examples = read_examples(folder, use_case)
    rows = label_partition(examples, ALL, use_case)
    write_groups([to_arrow(rows, "all")], tmp_path / "groups.parquet")

    read = read_groups(tmp_path / "groups.parquet", "all", use_case.labels)

    shuffled = examples.take(np.random.default_rng(1).permutation(len(examples)))
    np.testing.assert_array_equal(read.align(shuffled).example_id, rows.example_id)
    np.testing.assert_array_equal(read.align(shuffled).label, rows.label)


def test_what_the_live_model_saw_is_known_by_client_and_by_column(tmp_path: Path) -> None:
    table, rows, use_case = parts(loans(tmp_path, columns={"city": "city"}, split={"by": "city"}))

    fitted = fitted_tenants(table, use_case)

    assert fitted is not None
    np.testing.assert_array_equal(fitted.include(table), rows.split != TEST)
    strangers = table.take(rows.split != TEST)
    renamed = np.char.add(strangers.tenant_id, "x")
    assert fitted.include(FeatureTable(**{**vars(strangers), "tenant_id": renamed})).all()
