"""Tuning jobs: ordinary training jobs, in sequence and in parallel, whose hyperparameters the search chooses."""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable
from typing import Any

from local_aws.sagemaker.core import listing, tags
from local_aws.sagemaker.core.context import Context
from local_aws.sagemaker.core.errors import ServiceError, not_emulated, not_found, resource_in_use, validation_error
from local_aws.sagemaker.core.validation import refuse_others
from local_aws.sagemaker.jobs.jobs import INTERRUPTED
from local_aws.sagemaker.jobs.search_space import read_ranges
from local_aws.sagemaker.jobs.search_strategy import Search, Trial
from local_aws.sagemaker.jobs.training_jobs import TrainingJobs

log = logging.getLogger(__name__)

KIND = "HyperParameterTuningJob"
_ENDED = {"Completed", "Failed", "Stopped"}
_EVERY = 0.1
_HOPELESS_AFTER = 5
_REQUEST = frozenset({f"{KIND}Name", f"{KIND}Config", "TrainingJobDefinition", "Tags"})
_CONFIG = frozenset(
    {"Strategy", f"{KIND}Objective", "ResourceLimits", "ParameterRanges", "RandomSeed"}
    | {"TrainingJobEarlyStoppingType", "TuningJobCompletionCriteria"}
)
_CRITERIA = frozenset({"TargetObjectiveMetricValue", "BestObjectiveNotImproving"})
_RANGES = frozenset({"IntegerParameterRanges", "ContinuousParameterRanges", "CategoricalParameterRanges"})
_DEFINITION = frozenset(
    {"StaticHyperParameters", "AlgorithmSpecification", "RoleArn", "InputDataConfig", "VpcConfig", "OutputDataConfig"}
    | {"ResourceConfig", "StoppingCondition", "EnableNetworkIsolation", "EnableInterContainerTrafficEncryption"}
    | {"EnableManagedSpotTraining", "RetryStrategy", "Environment", "DefinitionName"}
)
_NOT_OF_A_JOB = frozenset({"StaticHyperParameters", "DefinitionName"})


class TuningJobs:
    """CreateHyperParameterTuningJob and related operations."""

    def __init__(self, context: Context, training: TrainingJobs) -> None:
        self.context = context
        self._training = training
        self._stopping = threading.Event()
        self._threads: set[threading.Thread] = set()
        for found in context.store.all(KIND):
            if found[f"{KIND}Status"] not in _ENDED:
                self._close(found[f"{KIND}Name"], "Failed", INTERRUPTED)

    def operations(self) -> dict[str, Callable[[dict[str, Any]], dict[str, Any]]]:
        """Operation name -> method that answers it."""
        return {
            f"Create{KIND}": self.create,
            f"Describe{KIND}": self.describe,
            f"Stop{KIND}": self.stop_job,
            f"Delete{KIND}": self.delete,
            f"List{KIND}s": self.list_jobs,
            f"ListTrainingJobsFor{KIND}": self.list_training_jobs,
        }

    def create(self, request: dict[str, Any]) -> dict[str, Any]:
        """Start a tuning job."""
        name = request[f"{KIND}Name"]
        arn, now = self.context.arn("hyper-parameter-tuning-job", name), self.context.now()
        if self.context.store.get(KIND, name):
            raise self._taken(arn)
        self._check(request)
        job = {key: value for key, value in request.items() if key != "Tags"}
        job |= {f"{KIND}Arn": arn, f"{KIND}Status": "InProgress", "CreationTime": now, "LastModifiedTime": now}
        job["_trials"] = []
        if not self.context.store.insert(KIND, name, job):
            raise self._taken(arn)
        tags.keep(self.context.store, arn, request.get("Tags", []))
        self.context.publish_status(KIND, self._described(job))
        thread = threading.Thread(target=self._lead, args=(name,), name=f"tuning {name}", daemon=True)
        self._threads.add(thread)
        thread.start()
        return {f"{KIND}Arn": arn}

    def _check(self, request: dict[str, Any]) -> None:
        operation = f"Create{KIND}"
        refuse_others(operation, request, _REQUEST)
        config, definition = request[f"{KIND}Config"], request.get("TrainingJobDefinition")
        if definition is None:
            raise validation_error("TrainingJobDefinition is required for a tuning job.")
        refuse_others(operation, config, _CONFIG, f"{KIND}Config.")
        refuse_others(operation, definition, _DEFINITION, "TrainingJobDefinition.")
        if config["Strategy"] not in {"Random", "Bayesian"}:
            raise not_emulated(operation, f"Strategy {config['Strategy']}")
        if config.get("TrainingJobEarlyStoppingType", "Off") != "Off":
            raise not_emulated(operation, "TrainingJobEarlyStoppingType Auto")
        refuse_others(
            operation, config.get("TuningJobCompletionCriteria", {}), _CRITERIA, "TuningJobCompletionCriteria."
        )
        for name in (f"{KIND}Objective", "ParameterRanges"):
            if name not in config:
                raise validation_error(f"{KIND}Config.{name} is required for a tuning job.")
        if "MaxNumberOfTrainingJobs" not in config["ResourceLimits"]:
            raise validation_error("ResourceLimits.MaxNumberOfTrainingJobs is required for a tuning job.")
        refuse_others(operation, config["ParameterRanges"], _RANGES, "ParameterRanges.")
        static = definition.get("StaticHyperParameters", {})
        ranges = read_ranges(config["ParameterRanges"])
        if not ranges:
            raise validation_error("At least one hyperparameter range is required for a tuning job.")
        for each in ranges:
            if each.name in static:
                raise validation_error(f"Hyperparameter {each.name} is both static and tuned.")
        metric = config[f"{KIND}Objective"]["MetricName"]
        if metric not in {each["Name"] for each in definition["AlgorithmSpecification"].get("MetricDefinitions", [])}:
            raise validation_error(
                f"The objective metric {metric} is not among the MetricDefinitions of the algorithm."
            )
        self._training.check(_training_request(request, f"{request[f'{KIND}Name']}-001-00000000", {}))

    def describe(self, request: dict[str, Any]) -> dict[str, Any]:
        """Everything about a tuning job."""
        return self._described(self._job(request[f"{KIND}Name"]))

    def stop_job(self, request: dict[str, Any]) -> dict[str, Any]:
        """Start no more training jobs, and stop those under way."""
        name = request[f"{KIND}Name"]
        status = self._job(name)[f"{KIND}Status"]
        if status != "InProgress":
            raise validation_error(
                f"The request was rejected because the hyperparameter tuning job is in status {status}."
            )
        self._change(name, {f"{KIND}Status": "Stopping"})
        return {}

    def delete(self, request: dict[str, Any]) -> dict[str, Any]:
        """Delete a tuning job that has ended. Its training jobs stay."""
        job = self._job(request[f"{KIND}Name"])
        if job[f"{KIND}Status"] not in _ENDED:
            raise resource_in_use(f"{job[f'{KIND}Arn']} is in status {job[f'{KIND}Status']}: stop it first.")
        self.context.store.delete(KIND, job[f"{KIND}Name"])
        tags.forget(self.context.store, job[f"{KIND}Arn"])
        return {}

    def list_jobs(self, request: dict[str, Any]) -> dict[str, Any]:
        """Tuning jobs by name, status and time, in pages."""
        items = []
        for job in self.context.store.all(KIND):
            found = self._described(job)
            shown = (f"{KIND}Name", f"{KIND}Arn", f"{KIND}Status", "CreationTime", "LastModifiedTime")
            more = ("HyperParameterTuningEndTime", "TrainingJobStatusCounters", "ObjectiveStatusCounters")
            item = {key: found[key] for key in (*shown, *more) if key in found}
            config = job[f"{KIND}Config"]
            items.append(item | {"Strategy": config["Strategy"], "ResourceLimits": config["ResourceLimits"]})
        status = ("StatusEquals", f"{KIND}Status")
        found_page, token = listing.page(items, request, name=f"{KIND}Name", status=status, newest_first=True)
        return listing.answer(f"{KIND}Summaries", found_page, token)

    def list_training_jobs(self, request: dict[str, Any]) -> dict[str, Any]:
        """A tuning job's training jobs. Sorted by objective, jobs without one are left out."""
        job = self._job(request[f"{KIND}Name"])
        items = [self._summary(job, trial) for trial in job["_trials"]]
        if request.get("SortBy") == "FinalObjectiveMetricValue":
            items = [item | {"_value": _value(item)} for item in items if _value(item) is not None]
            request = request | {"SortBy": "_value"}
        status = ("StatusEquals", "TrainingJobStatus")
        found, token = listing.page(items, request, name="TrainingJobName", status=status, newest_first=True)
        for item in found:
            item.pop("_value", None)
        return listing.answer("TrainingJobSummaries", found, token)

    def stop(self) -> None:
        """Stop, because the server stops. Its training jobs stop too."""
        self._stopping.set()
        for thread in list(self._threads):
            thread.join(timeout=10)

    # A tuning job's life

    def _lead(self, name: str) -> None:
        try:
            self._search(name)
        except Exception as error:
            log.exception("tuning job %s", name)
            self._stop_trials(self._job(name))
            self._close(name, "Failed", f"InternalServerError: {type(error).__name__}: {error}")
        finally:
            self._threads.discard(threading.current_thread())

    def _search(self, name: str) -> None:
        job = self._job(name)
        config = job[f"{KIND}Config"]
        seed = f"{config['RandomSeed']}" if "RandomSeed" in config else secrets.token_hex(8)
        ranges = read_ranges(config["ParameterRanges"])
        search = Search(ranges, bayesian=config["Strategy"] == "Bayesian", seed=seed)
        limits = config["ResourceLimits"]
        wanted, failure = True, None
        while not self._stopping.wait(_EVERY):
            job = self._job(name)
            summaries = [self._summary(job, trial) for trial in job["_trials"]]
            running = [each for each in summaries if each["TrainingJobStatus"] not in _ENDED]
            # Once it has given up it stays so, even if a job that it stops still reports an objective.
            failure = failure or _hopeless(job, summaries)
            if job[f"{KIND}Status"] == "Stopping" or failure or self._is_enough(job, summaries):
                wanted = False
                self._stop_trials(job)
            if not running and (not wanted or len(summaries) >= limits["MaxNumberOfTrainingJobs"]):
                self._finish(job, summaries, failure)
                return
            free = limits["MaxParallelTrainingJobs"] - len(running)
            left = limits["MaxNumberOfTrainingJobs"] - len(summaries)
            for _ in range(min(free, left) if wanted else 0):
                trials = [Trial(each["point"], _loss(job, self._summary(job, each))) for each in job["_trials"]]
                point = search.propose(trials)
                tuned = {each.name: each.value(place) for each, place in zip(ranges, point, strict=True)}
                job = self._try(job, point, tuned)

    def _try(self, job: dict[str, Any], point: list[float], tuned: dict[str, str]) -> dict[str, Any]:
        number = len(job["_trials"]) + 1
        trial_name = f"{job[f'{KIND}Name']}-{number:03d}-{secrets.token_hex(4)}"
        trial = {"name": trial_name, "point": point, "tuned": tuned}
        request = _training_request(job, trial_name, tuned)
        self._training.create(request, TuningJobArn=job[f"{KIND}Arn"])
        return self.context.store.change(KIND, job[f"{KIND}Name"], lambda found: found["_trials"].append(trial))

    def _stop_trials(self, job: dict[str, Any]) -> None:
        for trial in job["_trials"]:
            found = self.context.store.get("TrainingJob", trial["name"])
            if found and found["TrainingJobStatus"] == "InProgress":
                try:
                    self._training.stop_job({"TrainingJobName": trial["name"]})
                except ServiceError as error:  # it ended by itself in the meantime
                    log.info("%s", error)

    def _is_enough(self, job: dict[str, Any], summaries: list[dict[str, Any]]) -> bool:
        config = job[f"{KIND}Config"]
        seconds = config["ResourceLimits"].get("MaxRuntimeInSeconds")
        if seconds is not None and (self.context.now() - job["CreationTime"]).total_seconds() > seconds:
            return True
        criteria = config.get("TuningJobCompletionCriteria", {})
        losses = [loss for loss in (_loss(job, each) for each in summaries) if loss is not None]
        target = criteria.get("TargetObjectiveMetricValue")
        if target is not None and losses and min(losses) <= _sign(job) * target:
            return True
        patience = criteria.get("BestObjectiveNotImproving", {}).get("MaxNumberOfTrainingJobsNotImproving")
        return patience is not None and bool(losses) and len(losses) - 1 - losses.index(min(losses)) >= patience

    def _finish(self, job: dict[str, Any], summaries: list[dict[str, Any]], failure: str | None) -> None:
        if failure:
            self._close(job[f"{KIND}Name"], "Failed", failure)
        elif job[f"{KIND}Status"] == "Stopping":
            self._close(job[f"{KIND}Name"], "Stopped", None)
        elif summaries and not any(each["ObjectiveStatus"] == "Succeeded" for each in summaries):
            reason = "All training jobs failed. Please check failure details of individual training jobs."
            self._close(job[f"{KIND}Name"], "Failed", reason)
        else:
            self._close(job[f"{KIND}Name"], "Completed", None)

    def _close(self, name: str, status: str, reason: str | None) -> None:
        more = {"FailureReason": reason[:1024]} if reason else {}
        self._change(name, {f"{KIND}Status": status, "HyperParameterTuningEndTime": self.context.now(), **more})

    def _change(self, name: str, edit: dict[str, Any]) -> None:
        now = self.context.now()
        job = self.context.store.change(KIND, name, lambda found: found.update(edit | {"LastModifiedTime": now}))
        self.context.publish_status(KIND, self._described(job))

    # How it is described

    def _described(self, job: dict[str, Any]) -> dict[str, Any]:
        summaries = [self._summary(job, trial) for trial in job["_trials"]]
        found = {key: value for key, value in job.items() if not key.startswith("_")}
        found |= {
            "TrainingJobStatusCounters": {
                "Completed": _count(summaries, "TrainingJobStatus", "Completed"),
                "InProgress": _count(summaries, "TrainingJobStatus", "InProgress", "Stopping"),
                "RetryableError": 0,
                "NonRetryableError": _count(summaries, "TrainingJobStatus", "Failed"),
                "Stopped": _count(summaries, "TrainingJobStatus", "Stopped"),
            },
            "ObjectiveStatusCounters": {
                status: _count(summaries, "ObjectiveStatus", status) for status in ("Succeeded", "Pending", "Failed")
            },
        }
        known = [each for each in summaries if _value(each) is not None]
        if known:
            found["BestTrainingJob"] = min(known, key=lambda each: _loss(job, each) or 0.0)
        return found

    def _summary(self, job: dict[str, Any], trial: dict[str, Any]) -> dict[str, Any]:
        objective = job[f"{KIND}Config"][f"{KIND}Objective"]
        found = self.context.store.get("TrainingJob", trial["name"]) or {
            "TrainingJobArn": self.context.arn("training-job", trial["name"]),
            "TrainingJobStatus": "Deleting",
            "CreationTime": job["CreationTime"],
        }
        shown = ("TrainingJobArn", "CreationTime", "TrainingStartTime", "TrainingEndTime", "TrainingJobStatus")
        summary = {key: found[key] for key in (*shown, "FailureReason") if key in found}
        summary |= {"TrainingJobName": trial["name"], "TunedHyperParameters": trial["tuned"]}
        metrics = {each["MetricName"]: each["Value"] for each in found.get("FinalMetricDataList", [])}
        if found["TrainingJobStatus"] in {"Completed", "Stopped"} and objective["MetricName"] in metrics:
            value = metrics[objective["MetricName"]]
            summary["FinalHyperParameterTuningJobObjectiveMetric"] = {**objective, "Value": value}
            summary["ObjectiveStatus"] = "Succeeded"
        else:
            summary["ObjectiveStatus"] = "Failed" if found["TrainingJobStatus"] in _ENDED else "Pending"
        return summary

    def _job(self, name: str) -> dict[str, Any]:
        job = self.context.store.get(KIND, name)
        if job is None:
            raise not_found(f"Hyperparameter tuning job {name} does not exist.")
        return job

    def _taken(self, arn: str) -> ServiceError:
        return resource_in_use(
            "Hyperparameter tuning job name must be unique within an AWS account and region, and a job with this name "
            f"already exists ({arn})"
        )


def _training_request(job: dict[str, Any], name: str, tuned: dict[str, str]) -> dict[str, Any]:
    """The CreateTrainingJob request of one trial. Like the service, it tells the container its objective."""
    definition = job["TrainingJobDefinition"]
    metric = job[f"{KIND}Config"][f"{KIND}Objective"]["MetricName"]
    return {
        **{key: value for key, value in definition.items() if key not in _NOT_OF_A_JOB},
        "TrainingJobName": name,
        "HyperParameters": {
            "_tuning_objective_metric": metric,
            **definition.get("StaticHyperParameters", {}),
            **tuned,
        },
    }


def _hopeless(job: dict[str, Any], summaries: list[dict[str, Any]]) -> str | None:
    """Why the tuning job gives up: the first jobs all failed or reported no objective."""
    ended = [each for each in summaries if each["ObjectiveStatus"] != "Pending"]
    if len(ended) < _HOPELESS_AFTER or any(each["ObjectiveStatus"] == "Succeeded" for each in ended):
        return None
    if job[f"{KIND}Status"] == "Stopping":
        return None
    if any(each["TrainingJobStatus"] == "Completed" for each in ended):
        return (
            f"No objective metrics found after running {len(ended)} training jobs. Please ensure that the custom "
            "algorithm is emitting the objective metric as defined by the regular expression provided."
        )
    return (
        f"No training job succeeded after {len(ended)} attempts. For additional details, please take a look at the "
        "training job failures by listing training jobs for the hyperparameter tuning job."
    )


def _sign(job: dict[str, Any]) -> int:
    return -1 if job[f"{KIND}Config"][f"{KIND}Objective"]["Type"] == "Maximize" else 1


def _value(summary: dict[str, Any]) -> float | None:
    found: float | None = summary.get("FinalHyperParameterTuningJobObjectiveMetric", {}).get("Value")
    return found


def _loss(job: dict[str, Any], summary: dict[str, Any]) -> float | None:
    value = _value(summary)
    return None if value is None else _sign(job) * value


def _count(summaries: list[dict[str, Any]], key: str, *values: str) -> int:
    return sum(each[key] in values for each in summaries)
