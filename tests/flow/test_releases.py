"""From raw messages to an answer over HTTP, through the deployed state machine."""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
from pathlib import Path
from typing import Any

import boto3
import httpx
import pyarrow.parquet as parquet
import pytest
from botocore.exceptions import ClientError

from operations.mailbox import Form
from operations.releases import FinishedRelease, Listener, follow_release
from operations.roll_back import roll_back
from tests.support.api_caller import ApiCaller
from tests.support.flow import APPROVED_AS, Flow

STAGES = [
    "BuildFeatures",
    "CheckDataQuality",
    "IngestFeatures",
    "TrainModels",
    "RequestApproval",
    "RegisterModels",
    "DeployEndpoint",
    "SmokeTest",
    "ServeFeatures",
    "PublishRelease",
]


@pytest.fixture(scope="module")
def first(flow: Flow) -> FinishedRelease:
    """A release that is live when the tests of this module begin, whatever other modules released before."""
    done = flow.release(flow.events(seed=0))
    assert done.execution["status"] == "SUCCEEDED", done.execution.get("cause")
    return done


def features_of(flow: Flow, release: str, tmp_path: Path) -> list[dict[str, object]]:
    path = tmp_path / "features.parquet"
    boto3.client("s3").download_file(flow.bucket, f"features/{release}/features.parquet", str(path))
    rows: list[dict[str, object]] = parquet.read_table(path).to_pylist()
    return rows


def card_of(package: str) -> dict[str, str]:
    return dict(boto3.client("sagemaker").describe_model_package(ModelPackageName=package)["ModelCard"])


def test_all_stages_run_in_their_order(first: FinishedRelease) -> None:
    assert [state for state in first.visited if state in STAGES] == STAGES
    children = [state.split("/")[1] for state in first.visited if "/" in state]
    assert [state for state in children if state in ("ClusterTenants", "TrainModel", "EvaluateModel")] == [
        "ClusterTenants",
        "TrainModel",
        "EvaluateModel",
    ]


def test_the_package_is_approved_with_who_and_why(flow: Flow, first: FinishedRelease) -> None:
    packages = flow.packages(first.release)
    assert [package["status"] for package in packages] == ["Approved"]
    assert packages[0]["reason"] == f"approved by {APPROVED_AS}: looks right"
    assert packages[0]["metrics"]["roc_auc"] > 0.9
    card = card_of(packages[0]["arn"])
    assert card["ModelCardStatus"] == "Approved"
    details = json.loads(card["ModelCardContent"])["additional_information"]["custom_details"]
    assert details["report"] == f"s3://{flow.bucket}/reports/{first.release}/0/report.html"


def test_the_endpoint_serves_and_the_pointer_points_to_the_release(flow: Flow, first: FinishedRelease) -> None:
    assert flow.endpoint_status() == "InService"
    live = flow.live()
    assert live is not None
    assert first.release in live["models"].values()


def test_the_registry_the_pointer_and_the_archive_agree_and_another_model_does_not_answer(
    flow: Flow, first: FinishedRelease, tmp_path: Path
) -> None:
    [package] = flow.packages(first.release)
    described = boto3.client("sagemaker").describe_model_package(ModelPackageName=package["arn"])
    digest = described["CustomerMetadataProperties"]["model_json_sha256"]
    live = flow.live()
    assert live is not None
    assert (live["models"]["all"], live["digests"]["all"]) == (first.release, digest)
    key = f"all/{first.release}/model.tar.gz"
    boto3.client("s3").download_file(flow.bucket, f"models/{key}", str(tmp_path / "model.tar.gz"))
    with tarfile.open(tmp_path / "model.tar.gz") as archive:
        manifest = archive.extractfile("model.json")
        assert manifest is not None
        assert hashlib.sha256(manifest.read()).hexdigest() == digest

    def ask(expected: str) -> int:
        try:
            answer = boto3.client("sagemaker-runtime").invoke_endpoint(
                EndpointName=flow.stack.outputs["EndpointName"],
                TargetModel=key,
                ContentType="application/json",
                Body=b'{"instances": [{"features": {}}]}',
                CustomAttributes=f"model-json-sha256={expected}",
            )
        except ClientError as error:
            return int(error.response["OriginalStatusCode"])  # type: ignore[typeddict-item]  # of ModelError
        return answer["ResponseMetadata"]["HTTPStatusCode"]

    assert [ask(digest), ask("0" * 64)] == [200, 412]


def test_a_client_reads_features_and_a_prediction_with_reasons(
    flow: Flow, first: FinishedRelease, tmp_path: Path
) -> None:
    row = next(row for row in features_of(flow, first.release, tmp_path) if row["history"] == "sufficient")
    served = flow.get(f"/tenants/{row['tenant_id']}/features").json()
    for name, value in served["features"].items():
        assert value == pytest.approx(row[name]), name
    answer = flow.get(f"/tenants/{row['tenant_id']}/prediction")
    assert answer.status_code == 200
    document = answer.json()
    assert 0 <= document["probability"] <= 1
    assert 0 < document["model_probability"] < 1
    assert document["closeness"] == document["model_probability"]
    assert set(document["demand"]) | set(document["service"]) == set(served["features"])
    assert (document["status"], document["experience"] in ("good", "bad")) == ("scored", True)
    assert document["as_of"] == served["as_of"]
    assert {reason["towards"] for reason in document["reasons"]} == {document["experience"]}
    assert document["experience"] not in {reason["towards"] for reason in document["counter_reasons"]}
    assert document["label_basis"] in ("rule", "model")
    assert document["probability_basis"] in ("one_snapshot", "backtest")
    assert "over the next period of the same length" in document["probability_of"]
    assert not document["stale"]


def test_too_little_history_is_an_answer_not_a_guess(flow: Flow, first: FinishedRelease, tmp_path: Path) -> None:
    row = next(row for row in features_of(flow, first.release, tmp_path) if row["history"] == "insufficient")
    document = flow.get(f"/tenants/{row['tenant_id']}/prediction").json()
    assert (document["status"], document["experience"], document["probability"]) == ("insufficient_history", None, None)
    among_others = flow.ask_predictions(json={"tenant_ids": [row["tenant_id"]]})
    assert among_others.json()["predictions"] == [document]


@pytest.mark.parametrize(
    ("path", "key", "status", "code"),
    [
        ("/tenants/NOBODY-0/prediction", True, 404, "unknown_tenant"),
        ("/tenants/NOBODY-0/features", True, 404, "unknown_tenant"),
        ("/tenants/NOBODY%2D0/prediction", True, 404, "unknown_tenant"),
        ("/tenants/NOBODY%400/features", True, 404, "unknown_tenant"),
        ("/tenants/%20/prediction", True, 400, "malformed_tenant_id"),
        ("/tenants/a%0Ab/features", True, 400, "malformed_tenant_id"),
        ("/tenants/Caller%202403/features", True, 404, "unknown_tenant"),
        ("/tenants/Caller%25202403/features", True, 404, "unknown_tenant"),
        ("/tenants/a%2Fb/features", True, 400, "malformed_tenant_id"),
        ("/tenants/%FF%FE/prediction", True, 400, "malformed_tenant_id"),
        ("/tenants/NOBODY-0/prediction", False, 403, "invalid_api_key"),
        ("/nothing/here", True, 404, "unknown_route"),
    ],
)
def test_what_a_client_sent_wrong_has_a_code(
    flow: Flow, first: FinishedRelease, path: str, key: bool, status: int, code: str
) -> None:
    assert first.execution["status"] == "SUCCEEDED"
    answer = flow.get(path, key=key)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_one_bad_id_does_not_fail_the_rest(flow: Flow, first: FinishedRelease, tmp_path: Path) -> None:
    known = str(features_of(flow, first.release, tmp_path)[0]["tenant_id"])
    answer = flow.ask_predictions(json={"tenant_ids": [known, "bad/id", "NOBODY-0"]})
    rows = {row["tenant_id"]: row for row in answer.json()["predictions"]}
    assert rows[known]["model_version"] == first.release or rows[known]["status"] == "insufficient_history"
    assert rows["bad/id"]["code"] == "malformed_tenant_id"
    assert (rows["NOBODY-0"]["status"], rows["NOBODY-0"]["code"]) == ("no_answer", "unknown_tenant")


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        '{"tenant_ids": []}',
        b'{"tenant_ids": ["caf\xe9"]}',
        json.dumps({"tenant_ids": ["a"]}).encode("utf-16"),
        json.dumps({"tenant_ids": [f"T{n}" for n in range(101)]}),
        "[" * 50_000,
    ],
    ids=["empty", "no_object", "no_ids", "not_utf_8", "utf_16", "too_many", "too_deep"],
)
def test_a_malformed_request_is_400(flow: Flow, body: str | bytes) -> None:
    answer = flow.ask_predictions(content=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_request")


def test_a_request_that_is_too_long_is_413(flow: Flow) -> None:
    answer = flow.ask_predictions(content=json.dumps({"tenant_ids": ["é" * 200_000]}))
    assert (answer.status_code, answer.json()["code"]) == (413, "request_too_large")


def test_a_wrong_method_is_405_and_head_is_get(flow: Flow, first: FinishedRelease) -> None:
    assert first.execution["status"] == "SUCCEEDED"
    wrong = flow.ask("DELETE", "/predictions")
    assert (wrong.status_code, wrong.headers["allow"], wrong.json()["code"]) == (405, "POST", "method_not_allowed")
    head = flow.ask("HEAD", "/tenants/NOBODY-0/features")
    assert (head.status_code, head.content) == (404, b"")


@pytest.mark.parametrize("path", ["/nothing/here", "/tenants/NOBODY-0/features"])
@pytest.mark.parametrize("key", [True, False])
def test_every_answer_has_the_headers_that_protect_the_reader(
    flow: Flow, first: FinishedRelease, path: str, key: bool
) -> None:
    assert first.execution["status"] == "SUCCEEDED"
    headers = flow.get(path, key=key).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert headers["strict-transport-security"].startswith("max-age=31536000")


def test_the_dirty_rows_are_in_quarantine_with_their_reasons(flow: Flow, first: FinishedRelease) -> None:
    outcome = flow.json_object(f"features/{first.release}/outcome.json")
    assert outcome["status"] == "ok"
    assert outcome["quarantined"] > 0


def test_everyone_is_told_that_it_is_released(flow: Flow, first: FinishedRelease) -> None:
    mail = flow.mailbox.wait_for(f"Released: {first.release}")
    assert "/prediction" in mail["text"]
    assert "Tess Ter" in mail["text"]


def test_the_page_of_the_run_shows_every_stage_and_the_checks_of_the_data(flow: Flow, first: FinishedRelease) -> None:
    mail = flow.mailbox.wait_for(f"Released: {first.release}")
    [link] = [link for link in mail["links"] if "/runs/" in link]
    page = flow.http.get(link)
    assert page.status_code == 200
    assert f"<h1>Release {first.release} went live</h1>" in page.text
    for words in ("Compute the features", "train and evaluate the models", "Wait for a decision", "Tess Ter"):
        assert words in page.text
    assert page.text.count('class="done"') > 8
    assert not page.headers.get("refresh")
    data = flow.http.get(link.replace("?", "/data-quality?"))
    assert f"Data quality: release <code>{first.release}</code>" in data.text
    assert flow.http.get(link.replace(first.release, f"{first.release[:-1]}x")).status_code == 403


def test_both_emails_and_the_page_name_the_uploaders_batch(flow: Flow, first: FinishedRelease) -> None:
    batch = f"raw/tenant_experience/{json.loads(first.execution['input'])['batch']}/"
    asked = flow.mailbox.wait_for(f"Decision needed: release {first.release}")
    assert batch in asked["text"]
    assert batch in flow.mailbox.wait_for(f"Released: {first.release}")["text"]
    assert f"<dd>{batch}</dd>" in flow.http.get(asked["links"][0]).text


def test_the_page_of_a_decided_release_shows_the_decision_and_its_report(flow: Flow, first: FinishedRelease) -> None:
    link = flow.mailbox.wait_for(f"Decision needed: release {first.release}")["links"][0]
    page = flow.http.get(link)
    assert "was approved" in page.text
    assert "Tess Ter" in page.text
    assert "<form" not in page.text
    for path, title in (("report/0", "Tenant experience: release"), ("data-quality", "Data quality: release")):
        report = flow.http.get(link.replace(f"/{first.release}?", f"/{first.release}/{path}?"), follow_redirects=True)
        assert report.status_code == 200
        assert report.headers["Cache-Control"] == "no-store"
        assert "Content-Security-Policy" in report.text
        assert f"<title>{title} {first.release}</title>" in report.text


def test_a_decision_cannot_be_taken_twice_nor_by_another_link(flow: Flow, first: FinishedRelease) -> None:
    link = flow.mailbox.wait_for(f"Decision needed: release {first.release}")["links"][0]
    form = {"decision": "reject", "approver": "Mallory", "reason": "changed my mind"}
    assert httpx.post(link, data=form).status_code == 403  # without the token of the page
    wrong_links = (link[:-4] + "AAAA", link.split("signature=")[0], link.replace(first.release, "20200101-0000000"))
    for wrong in wrong_links:
        assert flow.http.get(wrong).status_code == 403
        assert flow.http.post(wrong, data=form).status_code == 403
    assert len({flow.http.get(wrong).text for wrong in wrong_links}) == 1  # nor does it tell which releases there are
    assert flow.packages(first.release)[0]["status"] == "Approved"


@pytest.mark.usefixtures("first")
def test_the_same_event_twice_starts_one_release(flow: Flow) -> None:
    executions = boto3.client("stepfunctions").list_executions(stateMachineArn=flow.stack.state_machine)
    event = json.loads((Path(__file__).parents[2] / "events" / "start_release.json").read_text())
    event["detail"]["bucket"]["name"] = flow.bucket
    name = flow.stack.physical_id("StartRelease")
    answers = [
        json.loads(boto3.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))["Payload"].read())
        for _ in range(2)
    ]
    assert answers[0]["release"] == answers[1]["release"]
    after = boto3.client("stepfunctions").list_executions(stateMachineArn=flow.stack.state_machine)
    assert len(after["executions"]) == len(executions["executions"]) + 1


def test_further_releases_move_the_version_and_the_api_never_stops(
    flow: Flow, first: FinishedRelease, tmp_path: Path
) -> None:
    row = next(row for row in features_of(flow, first.release, tmp_path) if row["history"] == "sufficient")
    mails: list[str] = []
    with ApiCaller(flow, str(row["tenant_id"])) as caller:
        second = flow.release(flow.events(seed=1), before=lambda mail: mails.append(mail["text"]))
        third = flow.release(
            flow.events(seed=2, models="per_partition", hyperparameters={"max_depth": 3}, groups="new"),
            before=lambda mail: mails.append(mail["text"]),
        )
    assert [second.execution["status"], third.execution["status"]] == ["SUCCEEDED", "SUCCEEDED"]
    assert caller.failures == []
    assert list(dict.fromkeys(caller.versions))[:2] == [first.release, second.release]
    live = flow.live()
    assert live is not None
    assert live["models"]["all"] == third.release
    # The third asked for models that no portfolio is large enough for.
    for before, after, warnings in ((first, second, []), (second, third, ["a model for each portfolio was asked for"])):
        quality = flow.json_object(f"reports/{after.release}/data_quality.json")
        assert quality["comparison"]["release"] == before.release
        # Each seed has portfolios of its own, so that their levels differ.
        told = [warning.partition(" (")[0] for warning in quality["warnings"]]
        assert [warning for warning in told if not re.search(" (rose|fell) to ", warning)] == warnings
        judge = boto3.client("sagemaker").describe_processing_job(
            ProcessingJobName=f"{flow.stack.outputs['EndpointName']}-{after.release}-evaluate-model-0-0-0"
        )
        live_features = [
            given["S3Input"]["S3Uri"] for given in judge["ProcessingInputs"] if given["InputName"] == "previous"
        ]
        assert live_features == [f"s3://{flow.bucket}/features/{before.release}/"]
        assert judge["Environment"]["USE_CASE"] == "tenant_experience"
    [judged] = flow.json_object(f"reports/{second.release}/0/evaluation.json")["partitions"]
    assert judged["champion"]["version"] == first.release
    assert judged["champion"]["rows"] == judged["counts"]["test"]["tenants"]
    # The calibration error is estimated without chance, and so not compared on the same resamples as the others.
    assert judged["champion"]["metrics"].keys() == judged["metrics"].keys() - {"calibration_error"}
    assert judged["changes"]["tenants"] > 0
    # The second release keeps the groups of the first, and the third finds new ones.
    assert judged["grouping"]["held"]["how"] == "kept"
    assert judged["changes"]["by_model"] == 0
    [anew] = flow.json_object(f"reports/{third.release}/0/evaluation.json")["partitions"]
    assert (anew["grouping"]["version"], anew["grouping"]["held"]) == (third.release, None)
    # So only the third is compared with its live model by the groups of both releases.
    assert judged["champion"]["by_live_groups"] == {}
    assert set(anew["champion"]["by_live_groups"]) == set(anew["champion"]["metrics"])
    assert "Against the groups of the live release, the log loss" in anew["champion"]["notes"][-1]
    rule = judged["grouping"]["version"]
    assert anew["yardstick"]["frozen"]["rule"] == rule
    for mail, before in zip(mails, (first, second), strict=True):
        assert f"release {before.release}, by the same rule (that of release {rule})" in " ".join(mail.split())
    assert "champion_loss" in [gate["name"] for gate in judged["gates"]]
    moved = tmp_path / "group_changes.parquet"
    boto3.client("s3").download_file(flow.bucket, f"reports/{second.release}/0/group_changes.parquet", str(moved))
    assert len(parquet.read_table(moved)) >= judged["changes"]["moved"]


def test_rejecting_changes_no_answer_and_says_why(flow: Flow, first: FinishedRelease) -> None:
    """The same tenants with other messages: as long as nobody has approved it, nothing of it is served."""
    before = flow.live()
    tenants = [f"T{number:06d}" for number in range(500)]
    groups = [tenants[start : start + 100] for start in range(0, len(tenants), 100)]
    answers = [row for group in groups for row in flow.predictions(group)]
    assert sum(row["status"] == "scored" for row in answers) > 300

    def scan(mail: dict[str, Any]) -> None:
        """A mail scanner follows the link, as often as it likes; a person sends the form too early."""
        (link,) = [link for link in mail["links"] if "/approvals/" in link]
        for _ in range(3):
            page = flow.http.get(link)
            assert page.status_code == 200
            assert "<form" in page.text
        incomplete: list[dict[str, str | list[str]]] = [
            {},
            {"decision": "approve"},
            {"decision": "approve", "approver": "Tess Ter", "reason": " "},
        ]
        for empty in incomplete:
            refused = Form.of(page).submit(empty)
            assert refused.status_code == 400
            assert "Your decision is not recorded yet" in refused.text

    done = flow.release(flow.events(seed=3), choice="reject", reason="the groups look wrong", before=scan)
    assert done.execution["status"] == "FAILED"
    assert done.execution["error"] == "ReleaseRejected"
    assert done.visited[-1] == "ReleaseRejected"
    assert flow.live() == before
    assert "ServeFeatures" not in done.visited
    now = [row for group in groups for row in flow.predictions(group)]
    assert sum(row != earlier for row, earlier in zip(now, answers, strict=True)) == 0
    packages = flow.packages(done.release)
    assert [(package["status"], package["reason"]) for package in packages] == [
        ("Rejected", f"rejected by {APPROVED_AS}: the groups look wrong")
    ]
    assert card_of(packages[0]["arn"])["ModelCardStatus"] == "Archived"
    assert "the groups look wrong" in flow.mailbox.wait_for(f"Release {done.release}: it was rejected")["text"]
    assert first.release != done.release


@pytest.mark.slow  # tests/browser/test_decision.py does the same with three models, as a person does
def test_a_release_is_taken_back_by_its_link_and_the_earlier_model_answers_again(
    flow: Flow, first: FinishedRelease
) -> None:
    live = flow.live()
    assert live is not None
    taken, tenant = live["models"]["all"], flow.tenant_with_an_answer()
    link = next(
        each
        for each in flow.mailbox.wait_for(f"Released: {taken}")["links"]
        if f"/approvals/{taken}/take-back?" in each
    )
    page = flow.http.get(link)
    assert f"Take back release {taken}" in page.text
    assert flow.live() == live  # looking changes nothing
    checked = Form.of(page).submit({"reason": "the answers look wrong", "approver": "Tess Ter"})
    assert "Check your answer" in checked.text
    mail = flow.mailbox.wait_for("Your code to decide about release rb-")
    assert f"take back release {taken}" in mail["text"]
    code = re.search(r"\b[0-9]{4} [0-9]{4}\b", mail["text"])
    assert code is not None
    begun = Form.of(checked).submit({"code": code[0]})
    assert begun.status_code in (200, 202), begun.text
    run = mail["subject"].rpartition(" ")[2]
    done = follow_release(flow.stack, run, Listener())
    assert done.execution["status"] == "SUCCEEDED", done.execution.get("cause")
    assert "ServeFeatures" not in done.visited

    now = flow.live()
    assert now is not None
    earlier = now["models"]["all"]
    assert earlier not in ("", taken)
    assert now["release"] == earlier
    assert flow.predictions([tenant])[0]["model_version"] == earlier
    assert [package["status"] for package in flow.packages(earlier)] == ["Approved"]
    [package] = flow.packages(taken)
    assert (package["status"], package["reason"]) == (
        "Rejected",
        f"taken back, approved by {APPROVED_AS}: the answers look wrong",
    )
    told = flow.mailbox.wait_for(f"Roll-back {run}: it was taken back")
    assert "approver@example.com" in told["to"]
    again = flow.http.get(link)
    assert (again.status_code, f"Release {taken} does not answer any more" in again.text) == (409, True)
    assert first.release != taken


@pytest.mark.slow
def test_an_operator_returns_to_the_first_release_with_its_features(
    flow: Flow, first: FinishedRelease, tmp_path: Path
) -> None:
    if (flow.live() or {})["models"]["all"] == first.release:
        flow.release(flow.events(seed=4))
    run = roll_back(flow.stack, "tenant_experience", first.release, "a wrong file", features=True)
    flow.decide(flow.mailbox.wait_for(f"({run})"))
    done = follow_release(flow.stack, run, Listener())
    assert done.execution["status"] == "SUCCEEDED", done.execution.get("cause")
    assert done.visited.index("SmokeTest") < done.visited.index("ServeFeatures") < done.visited.index("TakeBack")
    live = flow.live()
    assert live is not None
    assert live["models"]["all"] == live["release"] == first.release
    row = next(row for row in features_of(flow, first.release, tmp_path) if row["history"] == "sufficient")
    served = flow.get(f"/tenants/{row['tenant_id']}/features").json()
    for name, value in served["features"].items():
        assert value == pytest.approx(row[name]), name
    assert flow.get(f"/tenants/{row['tenant_id']}/prediction").json()["model_version"] == first.release
