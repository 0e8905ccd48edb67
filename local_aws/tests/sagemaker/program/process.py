"""Counts the lines of its inputs; arguments change how it ends."""

import argparse
import json
import os
import time
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--exit", type=int, default=0)
parser.add_argument("--message")
parser.add_argument("--times", type=int, default=1)
parser.add_argument("--sleep", type=float, default=0)
given = parser.parse_args()
ml = Path(os.environ["SAGEMAKER_BASE_DIR"])
inputs = ml / "processing/input"
counts = {p.relative_to(inputs).as_posix(): len(p.read_text().splitlines()) for p in inputs.rglob("*") if p.is_file()}
(ml / "processing/output/counts/deep").mkdir(parents=True)
(ml / "processing/output/counts/deep/counts.json").write_text(json.dumps(counts))
config = json.loads((ml / "config/processingjobconfig.json").read_text())
(ml / "processing/output/counts/config.json").write_text(
    json.dumps({"config": config, "environment": dict(os.environ)})
)
if given.message:
    (ml / "output/message").write_text(given.message * given.times)
print("counted", counts, flush=True)
time.sleep(given.sleep)
raise SystemExit(given.exit)
