"""API Gateway as a template makes it: gateway responses, the caller's key, an id that stays."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

ECHO = """
import json
def handler(event, context):
    return {"statusCode": 200, "body": json.dumps(
        {**event["requestContext"]["identity"], "event": event, "function": context.function_name}
    )}
"""
PROBLEM = {"gatewayresponse.header.Content-Type": "'application/problem+json'"}


def template(function_arn: str, *paths: str) -> dict[str, Any]:
    integration = {
        "type": "aws_proxy",
        "httpMethod": "POST",
        "uri": f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{function_arn}/invocations",
    }
    method = {"x-amazon-apigateway-integration": integration, "security": [{"api_key": []}]}
    body = {
        "swagger": "2.0",
        "info": {"title": "t", "version": "1"},
        "paths": {
            **{path: {"get": method} for path in paths},
            "/any": {"x-amazon-apigateway-any-method": method},
        },
        "securityDefinitions": {"api_key": {"type": "apiKey", "name": "x-api-key", "in": "header"}},
        "x-amazon-apigateway-gateway-responses": {
            "INVALID_API_KEY": {
                "statusCode": 401,
                "responseParameters": PROBLEM,
                "responseTemplates": {"application/json": '{"code": "invalid_api_key"}'},
            }
        },
    }
    key = {"KeyId": {"Ref": "Key"}, "KeyType": "API_KEY", "UsagePlanId": {"Ref": "Plan"}}
    plan = {"ApiStages": [{"ApiId": {"Ref": "Api"}, "Stage": {"Ref": "Stage"}}]}
    return {
        "Resources": {
            "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Body": body}},
            f"Deployment{len(paths)}": {
                "Type": "AWS::ApiGateway::Deployment",
                "Properties": {"RestApiId": {"Ref": "Api"}},
            },
            "Stage": {
                "Type": "AWS::ApiGateway::Stage",
                "Properties": {
                    "RestApiId": {"Ref": "Api"},
                    "StageName": "v1",
                    "DeploymentId": {"Ref": f"Deployment{len(paths)}"},
                },
            },
            "Key": {"Type": "AWS::ApiGateway::ApiKey", "Properties": {"Enabled": True}},
            "Plan": {"Type": "AWS::ApiGateway::UsagePlan", "Properties": plan},
            "PlanKey": {"Type": "AWS::ApiGateway::UsagePlanKey", "Properties": key},
        },
        "Outputs": {"Api": {"Value": {"Ref": "Api"}}, "Key": {"Value": {"Ref": "Key"}}},
    }


def fetch(url: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], Any]:
    request = urllib.request.Request(url, headers=headers, method=method)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=20) as response:  # noqa: S310
            return response.status, dict(response.headers), json.loads(response.read())
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), json.loads(error.read())


@pytest.fixture(scope="module")
def api(client: Callable[..., Any], function: Callable[[str], str], server: dict[str, Any]) -> dict[str, str]:
    """A deployed API, then updated with a second path: ids before and after, its address, and its key."""
    cloudformation = client("cloudformation")
    arn = function(ECHO)
    client("lambda").add_permission(
        FunctionName=arn, StatementId="api", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com"
    )

    def outputs() -> dict[str, str]:
        found = cloudformation.describe_stacks(StackName="api")["Stacks"][0]["Outputs"]
        return {item["OutputKey"]: item["OutputValue"] for item in found}

    cloudformation.create_stack(StackName="api", TemplateBody=json.dumps(template(arn, "/one")))
    cloudformation.get_waiter("stack_create_complete").wait(StackName="api", WaiterConfig={"Delay": 1})
    before = outputs()
    cloudformation.update_stack(
        StackName="api", TemplateBody=json.dumps(template(arn, "/one", "/two", "/items/{id}/parts"))
    )
    cloudformation.get_waiter("stack_update_complete").wait(StackName="api", WaiterConfig={"Delay": 1})
    after = outputs()
    value = client("apigateway").get_api_key(apiKey=after["Key"], includeValue=True)["value"]
    url = f"{server['url']}/_aws/execute-api/{before['Api']}/v1"
    return {"before": before["Api"], "after": after["Api"], "url": url, "key_id": after["Key"], "key": value}


def test_an_updated_api_keeps_its_id_and_has_the_new_path(api: dict[str, str]) -> None:
    assert api["before"] == api["after"]
    for path in ("one", "two"):
        assert fetch(f"{api['url']}/{path}", **{"x-api-key": api["key"]})[0] == 200


@pytest.mark.parametrize("method", ["GET", "DELETE", "PATCH"])
def test_a_path_of_any_method_passes_every_method_on(api: dict[str, str], method: str) -> None:
    assert fetch(f"{api['url']}/any", method, **{"x-api-key": api["key"]})[0] == 200
    assert fetch(f"{api['url']}/any", method)[0] == 401


def test_the_event_names_the_callers_key(api: dict[str, str]) -> None:
    status, _, identity = fetch(f"{api['url']}/one", **{"x-api-key": api["key"]})
    assert (status, identity["apiKeyId"]) == (200, api["key_id"])


def test_gateway_made_errors_use_the_gateways_responses(api: dict[str, str]) -> None:
    status, headers, body = fetch(f"{api['url']}/one")
    assert (status, headers["Content-Type"], body["code"]) == (401, "application/problem+json", "invalid_api_key")


def test_a_route_that_does_not_exist_is_the_gateways_answer(api: dict[str, str]) -> None:
    status, _, body = fetch(f"{api['url']}/nowhere")
    assert (status, body) == (403, {"message": "Missing Authentication Token"})


@pytest.mark.parametrize(
    "sent",
    [
        "T%201",
        "T%25201",
        "a%2Fb",
        "a+b",
        "a%2Bb",
        "%00",
        "%FF%FE",
        "%C3%A9",
        "%e2%80%8b",
        "%3Fx%23y",
        "a;b",
        "%zz",
        "%",
    ],
)
def test_a_path_arrives_as_it_was_sent(api: dict[str, str], sent: str) -> None:
    status, _, answer = fetch(f"{api['url']}/items/{sent}/parts", **{"x-api-key": api["key"]})
    assert status == 200
    event = answer["event"]
    assert event["pathParameters"] == {"id": sent}
    assert (event["path"], event["resource"]) == (f"/items/{sent}/parts", "/items/{id}/parts")
    assert event["requestContext"]["path"].endswith(f"/items/{sent}/parts")


def test_a_slash_at_the_end_is_kept_and_does_not_change_the_route(api: dict[str, str]) -> None:
    status, _, answer = fetch(f"{api['url']}/one/", **{"x-api-key": api["key"]})
    assert (status, answer["event"]["path"], answer["event"]["resource"]) == (200, "/one/", "/one")


def test_a_query_string_is_decoded_once_and_the_last_of_repeated_values_counts(api: dict[str, str]) -> None:
    _, _, answer = fetch(f"{api['url']}/one?q=T%25201&q=a+b%2Fc&empty=", **{"x-api-key": api["key"]})
    assert answer["event"]["queryStringParameters"] == {"q": "a b/c", "empty": ""}
    assert answer["event"]["multiValueQueryStringParameters"] == {"q": ["T%201", "a b/c"], "empty": [""]}


def test_a_throttled_function_is_the_gateways_internal_error(api: dict[str, str], client: Callable[..., Any]) -> None:
    functions = client("lambda")
    name = fetch(f"{api['url']}/one", **{"x-api-key": api["key"]})[2]["function"]
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    try:
        status, _, body = fetch(f"{api['url']}/one", **{"x-api-key": api["key"]})
    finally:
        functions.delete_function_concurrency(FunctionName=name)
    assert (status, body) == (500, {"message": "Internal server error"})
