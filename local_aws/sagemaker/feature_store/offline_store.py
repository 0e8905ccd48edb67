"""The offline store: records as Parquet files in S3, written after a delay and never changed.

Layout (developer guide, "Amazon SageMaker Feature Store offline store data format"): ``<resolved URI>/year=/month=/
day=/hour=/<latest event time>_<16 characters>.parquet``, by event time, with ``write_time``, ``api_invocation_time``
and ``is_deleted`` beside the features.
"""

from __future__ import annotations

import json
import logging
import secrets
import string
import subprocess
import tempfile
import threading
import time
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local_aws.sagemaker.core.context import Context
from local_aws.sagemaker.core.errors import ServiceError
from local_aws.sagemaker.core.storage import StorageError
from local_aws.sagemaker.feature_store.feature_groups import KIND, FeatureGroups
from local_aws.sagemaker.feature_store.online_store import OnlineStore

log = logging.getLogger(__name__)

_WRITER = Path(__file__).with_name("offline_parquet.py")
_ROWS = 20_000
_AGAIN_AFTER = 15.0
_LETTERS = string.ascii_letters + string.digits


class OfflineStore:
    """Takes rows from the outbox and writes files to S3 with the role of each group."""

    def __init__(self, context: Context, groups: FeatureGroups, online: OnlineStore) -> None:
        self._context = context
        self._groups = groups
        self._online = online
        self._wake = threading.Event()
        self._stopping = threading.Event()
        if online.outbox_groups():
            self._wake.set()
        self._thread = threading.Thread(target=self._work, name="offline store", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Note that the outbox has rows."""
        if not self._wake.is_set():
            self._wake.set()

    def stop(self) -> None:
        """Stop. The rest stays in the outbox for the next start."""
        self._stopping.set()
        self._wake.set()
        self._thread.join(timeout=30)

    def _work(self) -> None:
        while True:
            self._wake.wait()
            if self._stopping.wait(self._context.timing.offline_delay):
                return
            self._wake.clear()
            failed = [group_id for group_id in self._online.outbox_groups() if not self._send_group(group_id)]
            if failed:
                self._wake.set()
                if self._stopping.wait(_AGAIN_AFTER):
                    return

    def _send_group(self, group_id: int) -> bool:
        group = self._groups.with_id(group_id)
        if group is None:
            raise LookupError(f"the outbox has rows of a feature group {group_id} that never was")
        status: dict[str, str]
        try:
            while not self._stopping.is_set() and (rows := self._online.outbox(group_id, _ROWS)):
                self._send(group, [json.loads(body) for _, body in rows])
                self._online.sent(group_id, rows[-1][0])
            status = {"Status": "Active"}
        except (StorageError, ServiceError, OSError, subprocess.CalledProcessError) as error:
            reason = str(getattr(error, "stderr", None) or error)
            log.warning("offline store of %s: %s", group["FeatureGroupName"], reason)
            status = {"Status": "Blocked", "BlockedReason": reason[-1024:]}
        if group.get("OfflineStoreStatus") != status and self._context.store.get(KIND, group["FeatureGroupName"]):
            change = {"OfflineStoreStatus": status}
            self._context.store.change(KIND, group["FeatureGroupName"], lambda found: found.update(change))
        return status["Status"] == "Active"

    def _send(self, group: dict[str, Any], rows: list[dict[str, Any]]) -> None:
        storage = self._context.storage(group["RoleArn"], "FeatureStore")
        by_hour: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in rows:
            by_hour[_at(row["event_time"]).strftime("year=%Y/month=%m/day=%d/hour=%H")].append(row)
        with tempfile.TemporaryDirectory() as folder:
            files = []
            for partition, those in by_hour.items():
                latest = _at(max(row["event_time"] for row in those)).strftime("%Y%m%dT%H%M%SZ")
                suffix = "".join(secrets.choice(_LETTERS) for _ in range(16))
                file = Path(folder) / partition / f"{latest}_{suffix}.parquet"
                file.parent.mkdir(parents=True)
                files.append({"file": str(file), "rows": those})
            self._write_parquet(group, files)
            uri = group["OfflineStoreConfig"]["S3StorageConfig"]["ResolvedOutputS3Uri"]
            storage.upload_folder(Path(folder), uri)

    def _write_parquet(self, group: dict[str, Any], files: list[dict[str, Any]]) -> None:
        """Parquet needs pyarrow, which is in the image's environment and not in this one."""
        types = {each["FeatureName"]: each["FeatureType"] for each in group["FeatureDefinitions"]}
        given = json.dumps({"types": types, "written": time.time(), "files": files})
        command = [str(self._context.images[0].interpreter), "-I", str(_WRITER)]
        subprocess.run(command, input=given, text=True, check=True, capture_output=True)  # noqa: S603 our own script


def _at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
