"""Running the BuildFeatures script as SageMaker would: a process, its folders, its exit code."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.places import ROOT, USE_CASE_FOLDER, USE_CASES
from tests.support.script_process import run_forked

REQUESTED_AT = "2026-11-20T10:00:00Z"


class FeatureJob:
    """One run below ``base``; put files into ``raw`` first. ``use_case`` is a shipped one, or the path of a folder.

    Attributes:
        log: what the last run logged.
    """

    def __init__(
        self,
        base: Path,
        script: str = "build_features.py",
        python: Path | str = sys.executable,
        use_case: str = USE_CASE_FOLDER.name,
    ) -> None:
        self.base = base
        self.python, self.script = str(python), ROOT / "sagemaker_scripts" / script
        self.raw = base / "processing/input/raw"
        self.raw.mkdir(parents=True)
        self.use_case = base / "processing/input/use_case"
        shutil.copytree(USE_CASES / use_case, self.use_case)
        self.name = Path(use_case).name
        self.log = ""

    def output(self, name: str) -> Path:
        return self.base / "processing/output" / name

    def read(self, path: str) -> Any:
        return json.loads((self.base / "processing/output" / path).read_text())

    def run(self, manifest: dict[str, Any] | None = None, batch: str = "b1") -> dict[str, Any]:
        """Runs the script; answers with ``outcome.json``."""
        if manifest is not None:
            (self.raw / "manifest.json").write_text(json.dumps(manifest))
        names = ["--release", "r1", "--use-case", self.name, "--batch", batch, "--requested-at", REQUESTED_AT]
        environment = {
            "PATH": os.environ["PATH"],
            "SAGEMAKER_BASE_DIR": str(self.base),
            "PYTHONPATH": str(ROOT / "src"),
        }
        if self.python == sys.executable:
            done = run_forked(self.script, names, environment)
        else:
            command = [self.python, str(self.script), *names]
            # Java compiles once and not well: what a test asks of Spark is over before it pays to compile better.
            environment["JDK_JAVA_OPTIONS"] = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
            done = subprocess.run(  # noqa: S603
                command, env=environment, capture_output=True, text=True, check=False, cwd="/"
            )
        self.log = done.stderr
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
        assert not list(self.base.glob("scratch-*"))
        outcome: dict[str, Any] = self.read("features/outcome.json")
        return outcome
