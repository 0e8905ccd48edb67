"""The endpoint takes a new image only after a candidate was checked, and a roll-back is noticed by its name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tenant_experience.aws import endpoint
from tenant_experience.aws.endpoint import EndpointNotReadyError, EndpointNotUpdatedError, EndpointSettings
from tenant_experience.errors import PlatformError
from tenant_experience.release.roll_out import RollOut
from tests.support.endpoint_stages import NOW, StagedSageMaker

OLD = EndpointSettings("te", "image:1", "s3://data/models/", "arn:role", "ml.m5.large", 2)
NEW = replace(OLD, image="image:2")
CANDIDATE = "te-candidate-endpoint"
ENTERED = NOW - timedelta(minutes=1)


@pytest.fixture
def staged(monkeypatch: pytest.MonkeyPatch) -> StagedSageMaker:
    """An endpoint that answers with the old image."""
    service = StagedSageMaker()
    monkeypatch.setattr(endpoint, "sagemaker", lambda: service)
    monkeypatch.setattr(endpoint, "cloudwatch", lambda: service)
    with pytest.raises(EndpointNotReadyError, match="is being created"):
        step(OLD)
    service.settle("te")
    assert step(OLD) == "in_service"
    return service


def step(
    settings: EndpointSettings = NEW,
    *,
    first_call: bool = False,
    check: Callable[[str], None] = lambda _name: None,
) -> str:
    return endpoint.ensure_in_service(
        settings, RollOut(("a", "b"), 300), first_call=first_call, entered=ENTERED, check=check
    )


def wait(**given: Any) -> None:
    with pytest.raises(EndpointNotReadyError):
        step(**given)


def to_candidate(staged: StagedSageMaker) -> None:
    wait(first_call=True)
    assert staged.endpoints[CANDIDATE]["EndpointStatus"] == "Creating"
    wait()
    staged.settle(CANDIDATE)


def to_update(staged: StagedSageMaker) -> None:
    to_candidate(staged)
    wait()
    assert staged.endpoints["te"]["EndpointStatus"] == "Updating"


def test_a_new_image_is_checked_beside_the_old_one_before_it_gets_requests(staged: StagedSageMaker) -> None:
    to_candidate(staged)
    checked = []
    wait(check=lambda name: checked.append((name, dict(staged.endpoints["te"]))))
    ((name, meanwhile),) = checked
    assert name == CANDIDATE
    assert (meanwhile["EndpointStatus"], meanwhile["EndpointConfigName"]) == ("InService", OLD.config_name)
    assert set(staged.endpoints) == {"te"}
    staged.settle("te")
    assert step() == "in_service"
    (update,) = staged.updates
    assert update["EndpointConfigName"] == NEW.config_name
    assert update["RetainAllVariantProperties"] is True
    assert update["ExcludeRetainedVariantProperties"] == []
    assert update["DeploymentConfig"]["AutoRollbackConfiguration"] == {
        "Alarms": [{"AlarmName": "a"}, {"AlarmName": "b"}]
    }


@pytest.mark.parametrize("on", [{"a"}, {"a", "b"}])
def test_an_alarm_that_is_on_already_does_not_keep_the_image_out(staged: StagedSageMaker, on: set[str]) -> None:
    staged.alarms = {"a": "OK", "b": "OK", **dict.fromkeys(on, "ALARM")}
    to_update(staged)
    config = staged.updates[0]["DeploymentConfig"]
    assert config.get("AutoRollbackConfiguration") == ({"Alarms": [{"AlarmName": "b"}]} if on == {"a"} else None)


def test_a_candidate_is_one_instance_of_the_same(staged: StagedSageMaker) -> None:
    to_candidate(staged)
    config = staged.configs[staged.endpoints[CANDIDATE]["EndpointConfigName"]]
    (variant,) = config["ProductionVariants"]
    assert (variant["InitialInstanceCount"], variant["InstanceType"]) == (1, "ml.m5.large")
    assert staged.models[variant["ModelName"]]["PrimaryContainer"]["Image"] == "image:2"


def test_an_image_that_fails_its_check_never_gets_a_request(staged: StagedSageMaker) -> None:
    to_candidate(staged)

    def differs(_name: str) -> None:
        raise PlatformError("it differs", code="differs")

    with pytest.raises(PlatformError, match="it differs"):
        step(check=differs)
    assert (set(staged.endpoints), staged.updates) == ({"te"}, [])
    to_candidate(staged)  # a redrive
    assert step_after_check(staged) == "in_service"


def step_after_check(staged: StagedSageMaker) -> str:
    wait()
    staged.settle("te")
    return step()


def test_an_image_that_does_not_start_is_refused_by_name_and_tried_again(staged: StagedSageMaker) -> None:
    wait(first_call=True)
    staged.settle(CANDIDATE, "Failed", "no ping")
    with pytest.raises(EndpointNotUpdatedError, match=r"no ping\. The earlier image goes on answering") as refused:
        step()
    assert refused.value.code == "image_not_healthy"
    assert set(staged.endpoints) == {"te"}
    to_update(staged)


def test_an_update_that_was_rolled_back_is_refused_by_name_and_tried_again(staged: StagedSageMaker) -> None:
    to_update(staged)
    wait()
    staged.settle("te", reason="alarm te-errors")
    with pytest.raises(EndpointNotUpdatedError, match=r"alarm te-errors\. The earlier image goes on") as refused:
        step()
    assert refused.value.code == "endpoint_not_updated"
    staged.endpoints["te"]["LastModifiedTime"] = ENTERED - timedelta(hours=1)
    to_update(staged)


def test_the_roll_back_of_an_earlier_execution_is_not_this_ones(staged: StagedSageMaker) -> None:
    staged.now = ENTERED - timedelta(hours=1)
    staged.settle("te", reason="alarm of yesterday")
    wait(first_call=False)  # the first call was throttled
    assert CANDIDATE in staged.endpoints


def test_a_roll_back_that_failed_is_said(staged: StagedSageMaker) -> None:
    to_update(staged)
    staged.settle("te", "UpdateRollbackFailed", "no capacity")
    with pytest.raises(EndpointNotUpdatedError, match="Instances of the earlier and of the new image answer"):
        step()


def test_another_release_may_update_while_this_one_compares(staged: StagedSageMaker) -> None:
    to_candidate(staged)

    def overtaken(_name: str) -> None:
        del staged.endpoints[CANDIDATE]
        staged.update_endpoint(EndpointName="te", EndpointConfigName=NEW.config_name)
        raise PlatformError("the candidate is gone", code="model_unavailable")

    wait(check=overtaken)
    staged.settle("te")
    assert step() == "in_service"


def test_a_candidate_that_was_left_over_is_replaced_or_deleted(staged: StagedSageMaker) -> None:
    to_candidate(staged)
    staged.endpoints[CANDIDATE]["EndpointConfigName"] = "other"
    wait(first_call=True)
    assert CANDIDATE not in staged.endpoints
    to_candidate(staged)
    assert step(OLD, first_call=True) == "in_service"
    assert CANDIDATE not in staged.endpoints


def test_a_changed_number_of_instances_is_not_retained(staged: StagedSageMaker) -> None:
    more = replace(OLD, instance_count=3)
    wait(settings=more, first_call=True)
    staged.settle(CANDIDATE)
    wait(settings=more)
    assert staged.updates[0]["ExcludeRetainedVariantProperties"] == [{"VariantPropertyType": "DesiredInstanceCount"}]
