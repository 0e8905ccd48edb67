"""Whether the validation by outcomes tells the truth: the table of decision 26.

``.venv/bin/python -m bench.outcomes`` makes a release of simulated tenants whose satisfaction is known, writes a file
of surveys and complaints, and compares what the release says its published answers are worth with what they are truly
worth, for outcomes that follow the answers and for concurrent ones.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.output import tell
from tests.support.known_satisfaction import Validated, held, validated


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.outcomes", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="of simulated tenants (%(default)s)")
    options = parser.parse_args(arguments)
    tell("| outcomes | period | seed | compared | trained | AUC | 95% interval | truth | holds |")
    tell("|---|---|---|---|---|---|---|---|---|")
    found: defaultdict[tuple[str, str], list[Validated]] = defaultdict(list)
    for following in (True, False):
        for seed in range(options.seeds):
            with TemporaryDirectory() as folder:
                os.environ["SAGEMAKER_BASE_DIR"] = folder
                for each in validated(seed, Path(folder), following=following):
                    found[each.said.words, each.said.period].append(each)
                    tell(f"| {each.said.words} | {each.said.period} | {seed} | {_figures(each)} |")
    tell("")
    for (words, period), each_seed in found.items():
        tell(f"{words}, {period}: the truth lies in the interval for {held(each_seed)} of {len(each_seed)} seeds")
    return 0


def _figures(found: Validated) -> str:
    said, holds = found.said, "yes" if found.holds else "NO"
    if said.auc is None:
        return f"{said.tenants} | {said.trained} | too few | | {found.truth:.3f} | NO"
    area = f"{said.auc:.3f} | {said.low:.3f} to {said.high:.3f}"
    return f"{said.outcomes} of {said.tenants} | {said.trained} | {area} | {found.truth:.3f} | {holds}"


if __name__ == "__main__":
    sys.exit(main())
