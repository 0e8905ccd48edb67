"""Endpoints: create, update without losing a request, roll back, delete, and restore after a restart."""

from __future__ import annotations

import logging
import shutil
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from local_aws.sagemaker.core import listing, tags
from local_aws.sagemaker.core.context import Context
from local_aws.sagemaker.core.errors import ServiceError, validation_error
from local_aws.sagemaker.core.validation import refuse_others
from local_aws.sagemaker.endpoints.deployment import Deployment, GreenFleet, plan, retained
from local_aws.sagemaker.endpoints.models import Models, not_there
from local_aws.sagemaker.endpoints.multi_model import MultiModel
from local_aws.sagemaker.endpoints.serving_process import NotHealthyError, ServingProcess

log = logging.getLogger(__name__)

KIND = "Endpoint"
_CHANGING = {"Creating", "Updating", "Deleting"}
_UPDATE = frozenset(
    {"EndpointName", "EndpointConfigName", "RetainAllVariantProperties", "ExcludeRetainedVariantProperties"}
    | {"DeploymentConfig", "RetainDeploymentConfig"}
)
_ALARMS_EVERY = 0.5
_AT_ONCE = Deployment()
_RESTARTED = "The laptop's AWS stopped while the endpoint was being {}."
_REACHABLE_WITHIN = 60


class Live:
    """The containers that answer for an endpoint now."""

    def __init__(self, serving: ServingProcess) -> None:
        self.serving = serving
        self.models = MultiModel(serving) if serving.multi_model else None

    @property
    def role_arn(self) -> str:
        """The role of the model."""
        return str(self.serving.model["ExecutionRoleArn"])


class Endpoints:
    """CreateEndpoint and related operations."""

    def __init__(self, context: Context, models: Models) -> None:
        self.context = context
        self._models = models
        self._live: dict[str, Live] = {}
        self._green: dict[str, tuple[GreenFleet, Live]] = {}  # updates whose new fleet is watched
        self._ready: dict[str, threading.Event] = {}  # endpoints that a restart is bringing back
        self._processes: set[ServingProcess] = set()  # starting, live or draining
        self._threads: set[threading.Thread] = set()
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._restore()

    @property
    def _stopped(self) -> bool:
        return self._ending.is_set()

    def operations(self) -> dict[str, Callable[[dict[str, Any]], dict[str, Any]]]:
        """Operation name -> method that answers it."""
        return {
            "CreateEndpoint": self.create,
            "UpdateEndpoint": self.update,
            "DescribeEndpoint": self.describe,
            "DeleteEndpoint": self.delete,
            "ListEndpoints": self.list_endpoints,
        }

    def create(self, request: dict[str, Any]) -> dict[str, Any]:
        """Start an endpoint; it is Creating until its container is healthy."""
        refuse_others("CreateEndpoint", request, frozenset({"EndpointName", "EndpointConfigName", "Tags"}))
        name, config = request["EndpointName"], request["EndpointConfigName"]
        self._models.config(config)
        now, arn = self.context.now(), self.context.arn("endpoint", name)
        document = {
            "EndpointName": name,
            "EndpointArn": arn,
            "EndpointConfigName": config,
            "EndpointStatus": "Creating",
            "CreationTime": now,
            "LastModifiedTime": now,
            "_generation": 0,
        }
        if not self.context.store.insert(KIND, name, document):
            raise validation_error(f'Cannot create already existing endpoint "{arn}".')
        tags.keep(self.context.store, arn, request.get("Tags", []))
        self.context.publish_status(KIND, document)
        self._in_background(self._deploy, name, config)
        return {"EndpointArn": arn}

    def update(self, request: dict[str, Any]) -> dict[str, Any]:
        """Start the new configuration beside the old one, which answers until the new one is healthy."""
        refuse_others("UpdateEndpoint", request, _UPDATE)
        name, config = request["EndpointName"], request["EndpointConfigName"]
        variants = self._models.config(config)["ProductionVariants"]
        changed: list[tuple[Deployment, dict[str, Any]]] = []

        def begin(found: dict[str, Any]) -> None:
            self._refuse_while_changing(found)
            if found["EndpointStatus"] == "Failed":
                # "DeleteEndpoint is the only operation that can be performed on a failed endpoint" (EndpointStatus)
                raise validation_error(f'Cannot update failed endpoint "{found["EndpointArn"]}".')
            before = found["ProductionVariants"][0] if "ProductionVariants" in found else None
            if before and "DeploymentConfig" in request and before["VariantName"] != variants[0]["VariantName"]:
                raise validation_error("A blue/green deployment needs the variant name of the old endpoint config.")
            variant = retained(request, variants[0], before)
            scale = self.context.timing.wait_scale
            changed.append((plan(request, instances=variant["InitialInstanceCount"], scale=scale), variant))
            found["EndpointStatus"] = "Updating"
            found.pop("FailureReason", None)
            found["PendingDeploymentSummary"] = {
                "EndpointConfigName": config,
                "ProductionVariants": [{"VariantName": variant["VariantName"]} for variant in variants],
                "StartTime": self.context.now(),
            }
            if "DeploymentConfig" in request:
                found["LastDeploymentConfig"] = request["DeploymentConfig"]

        found = self._change(name, begin)
        self._in_background(self._deploy, name, config, *changed[-1])
        return {"EndpointArn": found["EndpointArn"]}

    def describe(self, request: dict[str, Any]) -> dict[str, Any]:
        """Everything about an endpoint."""
        found = self.context.store.get(KIND, request["EndpointName"])
        if found is None:
            raise self._not_there(request["EndpointName"])
        return {key: value for key, value in found.items() if not key.startswith("_")}

    def delete(self, request: dict[str, Any]) -> dict[str, Any]:
        """Stop an endpoint and forget it."""

        def begin(found: dict[str, Any]) -> None:
            self._refuse_while_changing(found)
            found["EndpointStatus"] = "Deleting"

        self._change(request["EndpointName"], begin)
        self._in_background(self._remove, request["EndpointName"])
        return {}

    def list_endpoints(self, request: dict[str, Any]) -> dict[str, Any]:
        """Endpoints by name, status and time, in pages."""
        shown = ("EndpointName", "EndpointArn", "CreationTime", "LastModifiedTime", "EndpointStatus")
        items = [{key: found[key] for key in shown} for found in self.context.store.all(KIND)]
        found, token = listing.page(
            items, request, name="EndpointName", status=("StatusEquals", "EndpointStatus"), newest_first=True
        )
        return listing.answer("Endpoints", found, token)

    def live(self, name: str) -> Live | None:
        """What answers for the endpoint now; None when nothing does. Waits for a restart to bring it back."""
        found = self._live.get(name)
        if found is None and (ready := self._ready.get(name)):
            ready.wait(_REACHABLE_WITHIN)
            found = self._live.get(name)
        green = self._green.get(name)
        return green[1] if green is not None and green[0].takes_next() else found

    def stop(self) -> None:
        """End every container, because the server stops. Endpoints that were InService come back at the next start."""
        with self._lock:
            self._ending.set()
            processes, threads = list(self._processes), list(self._threads)
        for process in processes:
            process.stop(at_once=True)
        for thread in threads:
            thread.join(timeout=10)

    # What happens behind the operations

    def _deploy(
        self,
        name: str,
        config_name: str,
        deployment: Deployment = _AT_ONCE,
        variant: dict[str, Any] | None = None,
    ) -> None:
        end = time.monotonic() + deployment.limit
        try:
            live = self._start(name, config_name, variant)
        except (NotHealthyError, ServiceError) as error:
            if not self._stopped:
                self._fall_back(name, str(error))
            return
        except Exception as error:
            log.exception("endpoint %s", name)
            if self._stopped:
                return
            self._fall_back(name, f"InternalServerError: {type(error).__name__}: {error}")
            return
        if name in self._live and (fault := self._shift(name, live, deployment, end)):
            self._green.pop(name, None)
            if not self._stopped:
                self._fall_back(name, fault)
                self._clear(live)
            return
        with self._lock:
            old, self._live[name] = self._live.get(name), live
            self._green.pop(name, None)
        self._change(name, lambda found: found.update(self._in_service(config_name, live)))
        self._change(name, lambda found: found.pop("PendingDeploymentSummary", None))
        if old is not None and not self._ending.wait(deployment.termination):
            self._clear(old)

    def _clear(self, fleet: Live) -> None:
        self._retire(fleet.serving)
        shutil.rmtree(fleet.serving.folder / "opt", ignore_errors=True)

    def _shift(self, name: str, live: Live, deployment: Deployment, end: float) -> str:
        """Give the green fleet its traffic step by step; returns why it lost it again, or an empty text."""
        try:
            for share in deployment.shares if deployment.bake or deployment.alarms else ():
                self._green[name] = GreenFleet(share), live
                self._change(name, self._say_baking)
                if fault := self._watch(live, deployment, end):
                    return fault
        except Exception as error:
            log.exception("endpoint %s", name)
            return f"InternalServerError: {type(error).__name__}: {error}"
        return ""

    def _say_baking(self, found: dict[str, Any]) -> None:
        for variant in found["PendingDeploymentSummary"]["ProductionVariants"]:
            variant["VariantStatus"] = [{"Status": "Baking", "StartTime": self.context.now()}]

    def _watch(self, live: Live, deployment: Deployment, end: float) -> str:
        """Bake: look at the alarms until the time is over; returns why to roll back, or an empty text."""
        baked = time.monotonic() + deployment.bake
        while True:
            if deployment.alarms and (fault := self.context.alarm_fault(live.role_arn, deployment.alarms)):
                return fault
            now = time.monotonic()
            if now >= end:
                return "The deployment took longer than MaximumExecutionTimeoutInSeconds and was rolled back."
            if now >= baked:
                return ""
            if self._ending.wait(min(_ALARMS_EVERY, baked - now)):
                return _RESTARTED.format("updated")

    def _start(self, name: str, config_name: str, chosen: dict[str, Any] | None = None) -> Live:
        served = (self.context.store.get(KIND, name) or {}).get("_served", {})
        if name in self._ready and "model" in served:  # coming back, even if its model has been deleted meanwhile
            variant, model = served["variant"], served["model"]
        else:
            variant = chosen or self._models.config(config_name)["ProductionVariants"][0]
            model = self._models.model(variant["ModelName"])
        serving = ServingProcess(self.context, model, variant, self._next_folder(name), f"Endpoints/{name}")
        live = Live(serving)
        with self._lock:
            if self._stopped:
                raise NotHealthyError("the laptop's AWS is stopping")
            self._processes.add(serving)
        try:
            serving.start()
        except BaseException:
            self._processes.discard(serving)
            raise
        return live

    def _next_folder(self, name: str) -> Path:
        found = self._change(name, lambda document: document.update(_generation=document["_generation"] + 1))
        return self.context.state_dir / "endpoints" / name / str(found["_generation"])

    def _in_service(self, config_name: str, live: Live) -> dict[str, Any]:
        variant = live.serving.variant
        image = live.serving.model["PrimaryContainer"]["Image"]
        deployed = {"SpecifiedImage": image, "ResolvedImage": image, "ResolutionTime": self.context.now()}
        weight = variant["InitialVariantWeight"]
        summary = {
            "VariantName": variant["VariantName"],
            "DeployedImages": [deployed],
            "CurrentWeight": weight,
            "DesiredWeight": weight,
            "CurrentInstanceCount": variant.get("InitialInstanceCount", 1),
            "DesiredInstanceCount": variant.get("InitialInstanceCount", 1),
        }
        return {
            "EndpointStatus": "InService",
            "EndpointConfigName": config_name,
            "ProductionVariants": [summary],
            "_served": {"variant": variant, "model": live.serving.model},
        }

    def _fall_back(self, name: str, reason: str) -> None:
        """A creation fails. An update goes back to what served before, and says why."""

        def apply(found: dict[str, Any]) -> None:
            found["EndpointStatus"] = "InService" if name in self._live else "Failed"
            found["FailureReason"] = reason[:1024]
            found.pop("PendingDeploymentSummary", None)

        self._change(name, apply)

    def _remove(self, name: str) -> None:
        with self._lock:
            live = self._live.pop(name, None)
        if live is not None:
            self._retire(live.serving)
        if self._stopped:
            return  # the next start completes it
        shutil.rmtree(self.context.state_dir / "endpoints" / name, ignore_errors=True)
        tags.forget(self.context.store, self.context.arn("endpoint", name))
        self.context.store.delete(KIND, name)

    def _retire(self, serving: ServingProcess) -> None:
        serving.drain()
        self._processes.discard(serving)

    def _restore(self) -> None:
        """After a restart: bring back endpoints in service, and end operations that were under way."""
        for found in self.context.store.all(KIND):
            name, status = found["EndpointName"], found["EndpointStatus"]
            if status == "Deleting":
                self._in_background(self._remove, name)
            elif status == "Creating":
                self._fall_back(name, _RESTARTED.format("created"))
            elif status in {"InService", "Updating"}:
                if status == "Updating":
                    self._change(name, lambda document: document.update(FailureReason=_RESTARTED.format("updated")))
                self._ready[name] = threading.Event()
                self._in_background(self._bring_back, name, found["EndpointConfigName"])

    def _bring_back(self, name: str, config_name: str) -> None:
        # The server that this runs in, and that holds the roles, does not answer before it has started.
        self._wait_until_reachable()
        try:
            self._deploy(name, config_name)
        finally:
            self._ready.pop(name).set()

    def _wait_until_reachable(self) -> None:
        address = urlsplit(self.context.endpoint_url)
        end = time.monotonic() + _REACHABLE_WITHIN
        while time.monotonic() < end and not self._stopped:
            try:
                socket.create_connection((address.hostname or "127.0.0.1", address.port or 80), timeout=1).close()
            except OSError:
                time.sleep(0.1)
            else:
                return

    def _in_background(self, work: Callable[..., None], *arguments: Any) -> None:
        def lead() -> None:
            try:
                work(*arguments)
            finally:
                self._threads.discard(thread)

        thread = threading.Thread(target=lead, name=f"endpoint {arguments[0]}", daemon=True)
        self._threads.add(thread)
        thread.start()

    def _refuse_while_changing(self, found: dict[str, Any]) -> None:
        if found["EndpointStatus"] in _CHANGING:
            raise validation_error(f'Cannot update in-progress endpoint "{found["EndpointArn"]}".')

    def _change(self, name: str, edit: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
        def apply(found: dict[str, Any]) -> None:
            edit(found)
            found["LastModifiedTime"] = self.context.now()

        before: list[str] = []

        def note_and_apply(found: dict[str, Any]) -> None:
            before.append(found["EndpointStatus"])
            apply(found)

        try:
            changed = self.context.store.change(KIND, name, note_and_apply)
        except KeyError:
            raise self._not_there(name) from None
        if changed["EndpointStatus"] != before[0]:
            self.context.publish_status(KIND, changed)
        return changed

    def _not_there(self, name: str) -> ServiceError:
        return not_there("endpoint", self.context.arn("endpoint", name))
