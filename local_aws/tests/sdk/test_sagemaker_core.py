"""SageMaker as the SageMaker SDK's own resource classes see it: each kind is made, waited for, read and deleted."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from sagemaker.core import shapes
from sagemaker.core.resources import (
    Endpoint,
    EndpointConfig,
    FeatureGroup,
    HyperParameterTuningJob,
    Model,
    ModelPackage,
    ModelPackageGroup,
    ProcessingJob,
    Tag,
    TrainingJob,
    TransformJob,
)
from sagemaker.core.utils.exceptions import FailedStatusError

IMAGE = "000000000000.dkr.ecr.us-east-1.amazonaws.com/program:1"
POLL = 1


def algorithm(**more: Any) -> dict[str, Any]:
    return {"training_image": IMAGE, "training_input_mode": "File", **more}


def resources() -> shapes.ResourceConfig:
    return shapes.ResourceConfig(instance_type="ml.m5.large", instance_count=1, volume_size_in_gb=1)


def names(found: Iterator[Any]) -> set[str]:
    return {resource.get_name() for resource in found}


def logged(caplog: pytest.LogCaptureFixture) -> str:
    return "\n".join(record.getMessage() for record in caplog.records)


@pytest.fixture
def sdk_log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """The SDK's logger does not propagate, so its lines are caught at the source."""
    logger = logging.getLogger("sagemaker.core.resources")
    loggers = [logging.getLogger(name) for name in ("sagemaker", "sagemaker.core", "sagemaker.core.resources")]
    before = [(each, each.propagate) for each in loggers]
    logger.addHandler(caplog.handler)
    caplog.set_level(logging.INFO, logger=logger.name)
    yield caplog
    logger.removeHandler(caplog.handler)
    for each, propagate in before:
        each.propagate = propagate


@pytest.fixture
def model(bucket: str, role: str, request: pytest.FixtureRequest) -> Iterator[Model]:
    name = f"model-{request.node.name.replace('_', '-')}"[:63].rstrip("-")
    container = shapes.ContainerDefinition(image=IMAGE, model_data_url=f"s3://{bucket}/model.tar.gz")
    made = Model.create(model_name=name, primary_container=container, execution_role_arn=role)
    yield made
    made.delete()


def test_training_job(bucket: str, role: str, sdk_log: pytest.LogCaptureFixture) -> None:
    source = shapes.S3DataSource(s3_data_type="S3Prefix", s3_uri=f"s3://{bucket}/input/")
    made = TrainingJob.create(
        training_job_name="sdk-training",
        role_arn=role,
        algorithm_specification=shapes.AlgorithmSpecification(
            **algorithm(metric_definitions=[shapes.MetricDefinition(name="accuracy", regex="accuracy=([0-9.]+)")])
        ),
        hyper_parameters={"write_model": "yes", "sleep": "2"},
        input_data_config=[shapes.Channel(channel_name="train", data_source=shapes.DataSource(s3_data_source=source))],
        output_data_config=shapes.OutputDataConfig(s3_output_path=f"s3://{bucket}/training"),
        resource_config=resources(),
        stopping_condition=shapes.StoppingCondition(max_runtime_in_seconds=60),
        tags=[Tag(key="team", value="one")],
    )
    made.wait(poll=POLL, timeout=60, logs=True)
    assert made.training_job_status == "Completed"
    assert "accuracy=0.75;" in logged(sdk_log)
    found = TrainingJob.get("sdk-training")
    assert found.model_artifacts.s3_model_artifacts == f"s3://{bucket}/training/sdk-training/output/model.tar.gz"
    assert found.final_metric_data_list[0].value == 0.75
    assert "sdk-training" in names(TrainingJob.get_all(name_contains="sdk", status_equals="Completed"))
    Tag.add_tags(resource_arn=found.training_job_arn, tags=[shapes.Tag(key="stage", value="test")])
    assert {each.key: each.value for each in Tag.get_all(resource_arn=found.training_job_arn)} == {
        "team": "one",
        "stage": "test",
    }
    found.delete()
    found.wait_for_delete(poll=POLL, timeout=20)


def test_training_job_that_fails_and_one_that_is_stopped(bucket: str, role: str) -> None:
    def create(name: str, **hyper_parameters: str) -> TrainingJob:
        return TrainingJob.create(
            training_job_name=name,
            role_arn=role,
            algorithm_specification=shapes.AlgorithmSpecification(**algorithm()),
            hyper_parameters=hyper_parameters,
            output_data_config=shapes.OutputDataConfig(s3_output_path=f"s3://{bucket}/training"),
            resource_config=resources(),
            stopping_condition=shapes.StoppingCondition(max_runtime_in_seconds=60),
        )

    with pytest.raises(FailedStatusError, match="no such column"):
        create("sdk-fails", failure="no such column", exit="1").wait(poll=POLL, timeout=60)
    slow = create("sdk-slow", sleep="60", end_politely="yes")
    slow.stop()
    slow.wait(poll=POLL, timeout=60)
    assert slow.training_job_status == "Stopped"


def test_processing_job(bucket: str, role: str, sdk_log: pytest.LogCaptureFixture) -> None:
    made = ProcessingJob.create(
        processing_job_name="sdk-processing",
        processing_resources=shapes.ProcessingResources(
            cluster_config=shapes.ProcessingClusterConfig(
                instance_count=2, instance_type="ml.m5.large", volume_size_in_gb=1
            )
        ),
        app_specification=shapes.AppSpecification(
            image_uri=IMAGE,
            container_entrypoint=["python3", "/opt/program/process.py"],
            container_arguments=["--sleep", "2"],
        ),
        role_arn=role,
        processing_inputs=[
            shapes.ProcessingInput(
                input_name="rows",
                s3_input=shapes.ProcessingS3Input(
                    s3_uri=f"s3://{bucket}/input/",
                    local_path="/opt/ml/processing/input/rows",
                    s3_data_type="S3Prefix",
                    s3_input_mode="File",
                ),
            )
        ],
        processing_output_config=shapes.ProcessingOutputConfig(
            outputs=[
                shapes.ProcessingOutput(
                    output_name="counts",
                    s3_output=shapes.ProcessingS3Output(
                        s3_uri=f"s3://{bucket}/counts",
                        local_path="/opt/ml/processing/output/counts",
                        s3_upload_mode="EndOfJob",
                    ),
                )
            ]
        ),
    )
    made.wait(poll=POLL, timeout=60, logs=True)
    assert made.processing_job_status == "Completed"
    assert "rows.csv': 2" in logged(sdk_log)
    assert ProcessingJob.get("sdk-processing").processing_end_time is not None
    assert "sdk-processing" in names(ProcessingJob.get_all(name_contains="sdk"))
    made.delete()
    assert "sdk-processing" not in names(ProcessingJob.get_all())


def test_tuning_job(bucket: str, role: str) -> None:
    made = HyperParameterTuningJob.create(
        hyper_parameter_tuning_job_name="sdk-tuning",
        hyper_parameter_tuning_job_config=shapes.HyperParameterTuningJobConfig(
            strategy="Bayesian",
            hyper_parameter_tuning_job_objective=shapes.HyperParameterTuningJobObjective(
                type="Minimize", metric_name="loss"
            ),
            resource_limits=shapes.ResourceLimits(max_number_of_training_jobs=3, max_parallel_training_jobs=2),
            parameter_ranges=shapes.ParameterRanges(
                continuous_parameter_ranges=[shapes.ContinuousParameterRange(name="x", min_value="0", max_value="1")]
            ),
        ),
        training_job_definition=shapes.HyperParameterTrainingJobDefinition(
            algorithm_specification=shapes.HyperParameterAlgorithmSpecification(
                **algorithm(metric_definitions=[shapes.MetricDefinition(name="loss", regex="loss=([0-9.]+)")])
            ),
            role_arn=role,
            output_data_config=shapes.OutputDataConfig(s3_output_path=f"s3://{bucket}/tuning"),
            resource_config=resources(),
            stopping_condition=shapes.StoppingCondition(max_runtime_in_seconds=60),
        ),
    )
    made.wait(poll=POLL, timeout=60)
    found = HyperParameterTuningJob.get("sdk-tuning")
    assert found.hyper_parameter_tuning_job_status == "Completed"
    trials = list(found.get_all_training_jobs(sort_by="FinalObjectiveMetricValue", sort_order="Ascending"))
    assert len(trials) == 3
    assert found.best_training_job.training_job_name == trials[0].training_job_name
    assert "sdk-tuning" in names(HyperParameterTuningJob.get_all(status_equals="Completed"))
    found.delete()
    assert "sdk-tuning" not in names(HyperParameterTuningJob.get_all())


def test_transform_job(bucket: str, model: Model, client: Callable[..., Any]) -> None:
    source = shapes.TransformS3DataSource(s3_data_type="S3Prefix", s3_uri=f"s3://{bucket}/input/")
    made = TransformJob.create(
        transform_job_name="sdk-transform",
        model_name=model.model_name,
        transform_input=shapes.TransformInput(
            data_source=shapes.TransformDataSource(s3_data_source=source), content_type="text/csv", split_type="Line"
        ),
        transform_output=shapes.TransformOutput(s3_output_path=f"s3://{bucket}/transformed", assemble_with="Line"),
        transform_resources=shapes.TransformResources(instance_type="ml.m5.large", instance_count=1),
    )
    made.wait(poll=POLL, timeout=60, logs=True)
    assert made.transform_job_status == "Completed"
    assert TransformJob.get("sdk-transform").transform_output.s3_output_path == f"s3://{bucket}/transformed"
    assert "sdk-transform" in names(TransformJob.get_all(status_equals="Completed"))
    body = client("s3").get_object(Bucket=bucket, Key="transformed/rows.csv.out")["Body"].read()
    assert body == b"2,2\n2,2\n"
    streams = client("logs").describe_log_streams(logGroupName="/aws/sagemaker/TransformJobs")["logStreams"]
    assert any(each["logStreamName"].startswith("sdk-transform/i-") for each in streams)


def test_model_config_and_endpoint(model: Model, client: Callable[..., Any]) -> None:
    def configure(name: str) -> EndpointConfig:
        variant = shapes.ProductionVariant(
            variant_name="AllTraffic",
            model_name=model.model_name,
            initial_instance_count=1,
            instance_type="ml.m5.large",
            initial_variant_weight=1.0,
        )
        return EndpointConfig.create(endpoint_config_name=name, production_variants=[variant])

    assert model.model_name in names(Model.get_all(name_contains="model"))
    configs = [configure("sdk-first"), configure("sdk-second")]
    assert {"sdk-first", "sdk-second"} <= names(EndpointConfig.get_all())
    made = Endpoint.create(endpoint_name="sdk-endpoint", endpoint_config_name="sdk-first")
    made.wait_for_status("InService", poll=POLL, timeout=60)
    answer = made.invoke(body=b"1,2", content_type="text/csv", accept="application/json")
    assert b'"body": "1,2"' in answer.body.read()
    made.endpoint_config_name = "sdk-second"
    made.update()
    made.wait_for_status("InService", poll=POLL, timeout=60)
    assert Endpoint.get("sdk-endpoint").endpoint_config_name == "sdk-second"
    assert "sdk-endpoint" in names(Endpoint.get_all(status_equals="InService"))
    made.delete()
    made.wait_for_delete(poll=POLL, timeout=60)
    for config in configs:
        config.delete()
    assert not {"sdk-first", "sdk-second"} & names(EndpointConfig.get_all())
    logs, group = client("logs"), "/aws/sagemaker/Endpoints/sdk-endpoint"
    streams = [each["logStreamName"] for each in logs.describe_log_streams(logGroupName=group)["logStreams"]]
    assert len(streams) == 2  # of the first container, and of the one that the update started
    assert all(stream.startswith("AllTraffic/i-") for stream in streams)
    events = logs.get_log_events(logGroupName=group, logStreamName=streams[0], startFromHead=True)["events"]
    assert [event["message"] for event in events] == ["version 1 serves"]


def test_the_end_of_a_job_is_an_event(bucket: str, role: str, client: Callable[..., Any]) -> None:
    events, sqs = client("events"), client("sqs")
    queue = sqs.create_queue(QueueName="sdk-events")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    allow = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage"}
    policy = {"Version": "2012-10-17", "Statement": [{**allow, "Resource": arn}]}
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps(policy)})
    pattern = {
        "source": ["aws.sagemaker"],
        "detail-type": ["SageMaker Training Job State Change"],
        "detail": {"TrainingJobStatus": ["Completed"], "TrainingJobName": ["sdk-told"]},
    }
    events.put_rule(Name="sdk-ended", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="sdk-ended", Targets=[{"Id": "queue", "Arn": arn}])
    TrainingJob.create(
        training_job_name="sdk-told",
        role_arn=role,
        algorithm_specification=shapes.AlgorithmSpecification(**algorithm()),
        output_data_config=shapes.OutputDataConfig(s3_output_path=f"s3://{bucket}/training"),
        resource_config=resources(),
        stopping_condition=shapes.StoppingCondition(max_runtime_in_seconds=60),
    ).wait(poll=POLL, timeout=60)
    messages = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=10, MaxNumberOfMessages=10)["Messages"]
    assert [json.loads(each["Body"])["detail"]["SecondaryStatus"] for each in messages] == ["Completed"]


def test_model_package_group_and_package(bucket: str) -> None:
    group = ModelPackageGroup.create(model_package_group_name="sdk-group")
    group.wait_for_status("Completed", poll=POLL, timeout=20)
    assert "sdk-group" in names(ModelPackageGroup.get_all())
    container = shapes.ContainersItem(image=IMAGE, model_data_url=f"s3://{bucket}/model.tar.gz")
    with pytest.raises(KeyError, match="ModelPackageName"):  # the SDK's own slip: it is no member of this answer
        ModelPackage.create(
            model_package_group_name="sdk-group",
            inference_specification=shapes.InferenceSpecification(
                containers=[container],
                supported_content_types=["text/csv"],
                supported_response_mime_types=["application/json"],
            ),
            model_approval_status="PendingManualApproval",
        )
    arn = group.model_package_group_arn.replace("model-package-group", "model-package") + "/1"
    listed = ModelPackage.get_all(model_package_group_name="sdk-group")
    assert [each.model_package_arn for each in listed] == [arn]
    made = ModelPackage.get(arn)
    assert made.model_package_status == "Completed"
    # A version's name is its group's, and no package has that name: the SDK's own refresh after the update fails.
    with pytest.raises(ClientError, match="does not exist"):
        made.update(model_approval_status="Approved", approval_description="Looks right.")
    found = ModelPackage.get(arn)
    assert (found.model_approval_status, found.approval_description) == ("Approved", "Looks right.")
    with pytest.raises(ClientError, match="still contains Model Packages"):
        group.delete()
    found.model_package_name = arn
    found.delete()
    with pytest.raises(ClientError, match="does not exist"):
        ModelPackage.get(arn)
    group.delete()
    group.wait_for_delete(poll=POLL, timeout=20)


def test_feature_group(bucket: str, role: str) -> None:
    def value(name: str, text: str) -> shapes.FeatureValue:
        return shapes.FeatureValue(feature_name=name, value_as_string=text)

    made = FeatureGroup.create(
        feature_group_name="sdk-features",
        record_identifier_feature_name="id",
        event_time_feature_name="at",
        feature_definitions=[
            shapes.FeatureDefinition(feature_name="id", feature_type="String"),
            shapes.FeatureDefinition(feature_name="at", feature_type="String"),
        ],
        online_store_config=shapes.OnlineStoreConfig(enable_online_store=True),
        offline_store_config=shapes.OfflineStoreConfig(
            s3_storage_config=shapes.S3StorageConfig(s3_uri=f"s3://{bucket}/offline")
        ),
        role_arn=role,
    )
    made.wait_for_status("Created", poll=POLL, timeout=20)
    made.put_record(record=[value("id", "t1"), value("at", "2024-01-01T00:00:00Z")])
    made.update(feature_additions=[shapes.FeatureDefinition(feature_name="count", feature_type="Integral")])
    made.put_record(record=[value("id", "t1"), value("at", "2024-01-02T00:00:00Z"), value("count", "2")])
    found = made.get_record(record_identifier_value_as_string="t1").record
    assert {each.feature_name: each.value_as_string for each in found}["count"] == "2"
    assert "sdk-features" in names(FeatureGroup.get_all(name_contains="sdk"))
    assert [each.feature_name for each in FeatureGroup.get("sdk-features").feature_definitions] == ["id", "at", "count"]
    made.delete_record(record_identifier_value_as_string="t1", event_time="2024-01-03T00:00:00Z")
    made.delete()
    made.wait_for_delete(poll=POLL, timeout=20)
