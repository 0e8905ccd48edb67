"""What ``bench.transform`` measures, and where it keeps the figures."""

from pathlib import Path

LINES, EXPLAINED, CSV, IN_JOB = WAYS = ("JSON lines", "JSON lines, explained", "CSV", "in a job, explained")
MEASURED = Path(__file__).with_name("transform.json")
