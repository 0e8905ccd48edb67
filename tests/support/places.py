"""Where things are in the repository, whichever folder a test is in."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
USE_CASES = ROOT / "use_cases"
USE_CASE_FOLDER = USE_CASES / "tenant_experience"
STATE_MACHINE = ROOT / "statemachine" / "train_and_release.asl.json"
# Data that is not in the project, beside the checkout; tests that need it are skipped without it.
SHARED_DATA = ROOT.parent / "shared" / "data"
