"""What a failure means: Step Functions' error and cause as a sentence for people, and as details for the operator.

The errors are those in which ``statemachine/train_and_release.asl.json`` and ``score_batch.asl.json`` can end:

- ``UserError.*``, ``AlgorithmError.*``, ``CountsDiffer.*``, ``ReleaseRejected``, ``ApprovalExpired``,
  ``ReleaseSuperseded`` and ``ReleaseWithdrawn``: their own,
- ``States.*``: of Step Functions, among them ``States.TaskFailed``, whose cause is the failed job as JSON,
- the class of a function's exception, and ``Lambda.*`` and ``Sandbox.*``, whose cause is the exception as JSON,
- ``SageMaker.*``, ``S3.*``, ``DynamoDb.*``, ``EventBridge.*`` and ``SNS.*``: a call that AWS refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tenant_experience.release import cause

UNCHANGED = "The live models were not changed."
UPLOAD_AGAIN = f"{UNCHANGED} Correct the input and upload it as a new batch."
_KEPT = "No kept answer was changed."
SCORE_AGAIN = f"{_KEPT} Correct the input and upload it as a new batch below score/."
SCORE_FILE_AGAIN = f"{_KEPT} Correct the file and upload it again under its key."
SCORE_ALL_LATER = (
    f"{_KEPT} Correct what the sentence above names. Everybody is scored again after the next release, and each night, "
    "unless the stack's parameters turn that off."
)
TELL_AGAIN = (
    "All answers are kept, and the files are written. The operator removes the cause, and then redrives the execution, "
    "which says so again."
)
REDRIVE = (
    f"{UNCHANGED} The input need not be uploaded again. The operator removes the cause, and then redrives the "
    "execution, which resumes where it stopped."
)
TAKE_BACK_AGAIN = (
    "The page of the run says whether the earlier models answer already. The operator does what the sentence above "
    "says, and then redrives the execution, which resumes where it stopped, or asks again with `tenx rollback`."
)
EXCEEDED = "States.ExceedToleratedFailureThreshold"
_MAX_DETAIL = 2000

# Error, or its part before the dot -> heading, sentence (None: the cause is one), and what to do next.
_MEANINGS: dict[str, tuple[str, str | None, str]] = {
    "UserError": ("its data cannot be used", None, UPLOAD_AGAIN),
    "AlgorithmError": (
        "no reliable model can be fitted",
        None,
        f"{UNCHANGED} Upload a batch with more or other data; the sentence above says what is missing.",
    ),
    "CountsDiffer": (
        "its answers do not add up",
        None,
        f"{_KEPT} The operator looks for the cause, and starts the batch again by uploading it.",
    ),
    "ReleaseRejected": (
        "it was rejected",
        None,
        f"{UNCHANGED} The models stay in the registry as Rejected, with the reason.",
    ),
    "ApprovalExpired": (
        "nobody decided in time",
        "Nobody approved or rejected it before its time to decide was over.",
        f"{UNCHANGED} Upload the batch again to request a new decision.",
    ),
    "ReleaseSuperseded": (
        "a later release took its place",
        None,
        "To release this batch instead, upload it again.",
    ),
    # Not an error's name but the state's: whatever keeps it from telling the approvers, the decision was made.
    "NotifyOutcome": (
        "its approvers were not told",
        "It was decided that it does not go live, but the e-mail that says so could not be sent to everyone.",
        f"{UNCHANGED} The operator removes the cause, and then redrives the execution to send the e-mail.",
    ),
    "ReleaseWithdrawn": ("it was withdrawn", None, f"{UNCHANGED} To release this batch after all, upload it again."),
    "ABORTED": (
        "it was stopped",
        "Somebody stopped it.",
        f"{UNCHANGED} Upload the batch again, or let the operator redrive the execution.",
    ),
    "TIMED_OUT": ("it took too long", "It did not end in the time that it has.", REDRIVE),
    "ModelDiffersError": (
        "a model is not the one that was registered",
        None,
        f"{UNCHANGED} The operator does what the sentence above says, and then redrives the execution.",
    ),
    "ApproverNotSubscribedError": ("nobody can be asked to approve it", None, REDRIVE),
    "EndpointNotUpdatedError": ("its image could not take the place of the earlier one", None, REDRIVE),
    "ImageDiffersError": ("its image answers otherwise than the models did", None, REDRIVE),
    "States.Timeout": ("a step took too long", "One of its steps did not end in time.", REDRIVE),
    "States.HeartbeatTimeout": ("a step took too long", "One of its steps did not end in time.", REDRIVE),
    "States.ServiceRestart": ("AWS on the laptop was restarted", "The laptop's AWS ended while it ran.", REDRIVE),
    "States.TaskFailed": ("a job failed", "One of its jobs failed.", REDRIVE),
    "States.ItemReaderFailed": (
        "the list of models cannot be read",
        "The list of the models to train could not be read.",
        REDRIVE,
    ),
    EXCEEDED: ("a model was not trained", "The training of a model failed.", REDRIVE),
    "Sandbox": ("a function took too long", "One of its functions did not end in time.", REDRIVE),
    "Lambda": ("a function cannot be called", "One of its functions could not be called.", REDRIVE),
    "SNS": (
        "its e-mail was not sent",
        "All that its batch asked for is done, but the e-mail that says so could not be sent.",
        "Its models answer, or the live ones for its records, if nothing was to be trained. The operator removes the "
        "cause, and then redrives the execution to send the e-mail.",
    ),
    **{
        service: ("AWS refused a call", f"A call of {name} was refused or not answered.", REDRIVE)
        for service, name in {
            "SageMaker": "SageMaker",
            "S3": "S3",
            "DynamoDb": "DynamoDB",
            "EventBridge": "EventBridge",
        }.items()
    },
    "SageMaker.ResourceLimitExceededException": (
        "AWS refused a job",
        "The account's limit for the instances of a job is reached.",
        REDRIVE,
    ),
}
_FUNCTION_FAILED = ("a step failed", "One of its functions failed.", REDRIVE)
_FAULT = ("a step failed", "One of its steps failed, because of a fault in AWS or in this application.", REDRIVE)

_STEPS = {
    "build-features": "computes the features",
    "ingest-features": "stores the features",
    "serve-features": "hands the features to those who ask",
    "cluster-tenants": "finds the groups and labels",
    "train-model": "trains the model",
    "evaluate-model": "evaluates the model",
    "prepare-scoring": "finds the rows to answer",
    "score-partitions": "asks the models",
    "publish-answers": "keeps the answers",
}
_STEP = re.compile("|".join(_STEPS))
# Kind of job, as its description's members begin -> its log group. A tuning job's models are trained by training jobs.
_LOGS = {
    "HyperParameterTuningJob": "/aws/sagemaker/TrainingJobs",
    "TrainingJob": "/aws/sagemaker/TrainingJobs",
    "ProcessingJob": "/aws/sagemaker/ProcessingJobs",
    "TransformJob": "/aws/sagemaker/TransformJobs",
}
# What a job does whose name has no step in it.
_DOES = {"HyperParameterTuningJob": "tunes the model", "TransformJob": "asks a model about its rows"}
_CODES = re.compile(r"^(?:\w+(?:Error|Exception): )+(?:[a-z0-9_]+: )?")
_ARN = re.compile(r"arn:[\w-]+:[^\s,;()'\"]+")


@dataclass(frozen=True)
class Failure:
    """How an execution, or the child execution of one shard, ended.

    Attributes:
        error: Step Functions' name of the error, or the execution's status when it has none.
        cause: Step Functions' cause: a sentence, JSON, or nothing.
        shard: the number of the shard; None for the whole execution.
    """

    error: str
    cause: str
    shard: int | None = None

    @property
    def heading(self) -> str:
        """What completes ``Release ... did not go live: ``."""
        return self._meaning[0]

    @property
    def sentence(self) -> str:
        """What happened, without codes, ARNs and JSON."""
        if self._job is not None:
            return self._with_shard(self._job.sentence)
        text = self._meaning[1]
        return sentence(self._message) if text is None else self._with_shard(text)

    @property
    def advice(self) -> str:
        """What to do next."""
        return self._meaning[2]

    @property
    def is_done(self) -> bool:
        """Whether the work was done, and only telling of it failed."""
        return self.error.partition(".")[0] in ("SNS", "EventBridge")

    @property
    def is_redrivable(self) -> bool:
        """Whether a redrive can end otherwise. A Fail state fails again."""
        return self.error.partition(".")[0] not in _OWN_ENDS

    @property
    def details(self) -> list[str]:
        """Lines for the operator: the error, the job and its log, and the cause."""
        lines = [f"Error: {self.error}"]
        if self.shard is not None:
            lines.append(f"Shard: {self.shard}")
        if self._job is not None:
            return [*lines, *self._job.details]
        said = cause.line(self._message)
        return [*lines, f"Cause: {said[:_MAX_DETAIL]}"] if said else lines

    @property
    def _meaning(self) -> tuple[str, str | None, str]:
        kind = self.error.partition(".")[0]
        found = _MEANINGS.get(self.error) or _MEANINGS.get(kind)
        if found is not None and (found[1] is not None or cause.is_sentence(_CODES.sub("", self._message))):
            return found
        return _FUNCTION_FAILED if "errorMessage" in self._document else _FAULT

    @property
    def _document(self) -> Mapping[str, Any]:
        return cause.document(self.cause)

    @property
    def _job(self) -> _Job | None:
        for kind in _LOGS:
            if f"{kind}Name" in self._document:
                return _Job(kind, self._document)
        return None

    @property
    def _message(self) -> str:
        """The cause as text: of an exception, its message."""
        document = self._document
        if "errorMessage" in document:
            return f"{document.get('errorType', 'Error')}: {document['errorMessage']}"
        return self.cause

    def _with_shard(self, sentence: str) -> str:
        return sentence if self.shard is None else f"{sentence.removesuffix('.')} (shard {self.shard})."


# How a decision ends a release: the state NotifyOutcome has told everyone by then.
DECIDED = ("ReleaseRejected", "ApprovalExpired", "ReleaseSuperseded", "ReleaseWithdrawn")
_OWN_ENDS = ("UserError", "AlgorithmError", "CountsDiffer", *DECIDED)


@dataclass(frozen=True)
class _Job:
    """A SageMaker job that failed or was stopped, as its description says."""

    kind: str
    document: Mapping[str, Any]

    @property
    def sentence(self) -> str:
        step = _STEP.search(self._name)
        does = _STEPS[step[0]] if step else _DOES.get(self.kind, "ran")
        return f"The job that {does} {'was stopped' if self._status == 'Stopped' else 'failed'}."

    @property
    def details(self) -> list[str]:
        reason = self.document.get("ExitMessage") or self.document.get("FailureReason")
        said = cause.line(str(reason or "no reason was given; read its log"))[:_MAX_DETAIL]
        lines = [f"Job: {self._name} is {self._status}: {said}"]
        counters = self.document.get("TrainingJobStatusCounters")
        if isinstance(counters, dict):
            counted = ", ".join(f"{name} {number}" for name, number in counters.items())
            lines.append(f"Its training jobs: {counted}")
        lines.append(f"Log: group {_LOGS[self.kind]}, streams that begin with {self._name}")
        return lines

    @property
    def _name(self) -> str:
        return str(self.document[f"{self.kind}Name"])

    @property
    def _status(self) -> str:
        return str(self.document.get(f"{self.kind}Status", "Failed"))


# The state in which a run ended -> what it means there, whatever the error: the work was done, only telling was left.
_DONE_BY = {
    **dict.fromkeys(("NotifyReleased", "NotifyServed", "NotifyScored", "SendScored"), "SNS"),
    "NotifyOutcome": "NotifyOutcome",
}


def of_end(error: str, cause: str, last_state: str) -> Failure:
    """What the end of an execution means.

    Args:
        error: Step Functions' name of the error, or the execution's status when it has none.
        cause: Step Functions' cause.
        last_state: the state that was entered last; empty where it is not known.
    """
    return Failure(_DONE_BY[last_state], "") if last_state in _DONE_BY else Failure(error, cause)


def sentence(text: str) -> str:
    """An error's message as a sentence, without the codes that its exception puts before it, and without ARNs.

    Names of files and columns stay as they are written.
    """
    said = _ARN.sub("(named below)", _CODES.sub("", text)).strip()
    begins = said.partition(" ")[0].strip(",;:")
    first = said[:1].upper() if begins.isalpha() else said[:1]
    return first + said[1:] + ("" if said.endswith((".", "!", "?")) else ".")
