"""Where the demo asks for a use case's records, and whom it shows in full."""

from __future__ import annotations

import functools
import io
import json
from types import SimpleNamespace

import httpx
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from rich.console import Console

from demo import run
from demo.run import answered
from operations import api_client, releases
from operations.api_client import Routes
from operations.errors import OperationError
from operations.releases import FinishedRelease, spread
from operations.stack import Stack
from tenant_experience.api.route_family import RECORD_ROUTES, TENANT_ROUTES
from tests.support.places import USE_CASES

IDS = ["C 1", "C 2", "C 3"]
PROBABILITIES = {"C 1": None, "C 2": 0.25, "C 3": 0.75}


@pytest.mark.parametrize(
    ("use_case", "record_id", "path", "many", "family"),
    [
        ("tenant_experience", "T 1", "/tenants/T%201/features", "/predictions", TENANT_ROUTES),
        (
            "telecom_churn",
            "Dim1 OH 408 #7",
            "/use-cases/telecom_churn/records/Dim1%20OH%20408%20%237/features",
            "/use-cases/telecom_churn/predictions",
            RECORD_ROUTES,
        ),
    ],
)
def test_the_stacks_own_use_case_has_the_tenants_routes(
    use_case: str, record_id: str, path: str, many: str, family: object
) -> None:
    routes = Routes.of(use_case)
    assert (routes.path(record_id, "features"), routes.predictions, routes.family) == (path, many, family)


@pytest.mark.parametrize(
    ("count", "picked"), [(1, [0]), (4, [0, 1, 2, 11]), (20, list(range(20))), (50, list(range(20)))]
)
def test_records_are_the_first_and_others_spread_over_the_release(count: int, picked: list[int]) -> None:
    ids = [f"{number:02}" for number in range(20)]
    assert spread(ids, count) == [ids[number] for number in picked]
    assert spread([], count) == []


def test_rows_without_a_model_are_shown_only_when_no_other_has_one() -> None:
    refused = [{"status": "no_answer", "code": "no_live_model", "record_id": f"a{number}"} for number in range(60)]
    scored = [{"status": "scored", "probability": 0.5, "record_id": f"b{number}"} for number in range(40)]
    assert answered(refused + scored) == scored[:5]
    assert answered(refused) == refused[:5]


def api(request: httpx.Request) -> httpx.Response:
    """The API of a stack with a live release of bank_marketing, which has no model for ``C 1``."""
    if "x-api-key" not in request.headers:
        return httpx.Response(403, json={"code": "invalid_api_key"})
    path = request.url.raw_path.decode().removeprefix("/v1/use-cases/bank_marketing")
    if path == "/predictions":
        rows = [
            {"record_id": text, "status": "no_answer", "code": "no_live_model"}
            if PROBABILITIES[text] is None
            else {"record_id": text, "partition": "north", "status": "scored", "probability": PROBABILITIES[text]}
            for text in json.loads(request.content)["ids"]
        ]
        return httpx.Response(200, json={"predictions": rows})
    known = path.startswith("/records/C%203/")
    return httpx.Response(200 if known else 404, json={"record_id": "C 3", "path": path})


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Stack:
    table = pa.table({"client_id": [*IDS, "C 0"], "history": ["sufficient"] * 3 + ["insufficient"]})
    parquet.write_table(table, content := io.BytesIO())
    bucket = SimpleNamespace(get_object=lambda **_asked: {"Body": io.BytesIO(content.getvalue())})
    monkeypatch.setattr(releases.boto3, "client", lambda _service: bucket)
    client = functools.partial(httpx.Client, transport=httpx.MockTransport(api))
    monkeypatch.setattr(api_client.httpx, "Client", client)
    stack = Stack("s", {"DataBucket": "b", "ApiUrl": "https://api/v1"}, (), None)
    stack.__dict__["api_key"] = "key"
    return stack


def test_the_demo_of_another_use_case_asks_the_api_about_its_records(stack: Stack) -> None:
    printed = Console(file=io.StringIO(), width=200)
    done = FinishedRelease("r1", {}, [], 1.0)
    answer = run.ask(stack, done, USE_CASES / "bank_marketing", None, printed)
    assert answer["path"] == "/records/C%203/prediction"
    told = printed.file.getvalue()  # type: ignore[attr-defined]  # it is a StringIO
    requests = [line.strip() for line in told.splitlines() if line.startswith("GET ")]
    start = "GET /use-cases/bank_marketing/records"
    assert requests == [
        f"{start}/C%203/features  with the API key  -> 200",
        f"{start}/C%203/prediction  with the API key  -> 200",
        f"{start}/NOBODY-0/prediction  with the API key  -> 404",
        f"{start}/C%203/prediction  without a key  -> 403",
    ]
    assert "POST /use-cases/bank_marketing/predictions" in told
    assert "C 2" in told
    assert "C 1" not in told


def test_a_record_without_a_prediction_ends_the_demo_with_what_the_api_says(stack: Stack) -> None:
    printed, done = Console(file=io.StringIO()), FinishedRelease("r1", {}, [], 1.0)
    with pytest.raises(OperationError, match="the API gave no prediction for C 9"):
        run.ask(stack, done, USE_CASES / "bank_marketing", "C 9", printed)
