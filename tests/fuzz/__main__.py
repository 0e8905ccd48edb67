"""``make fuzz``: many cases, and a table of how they ended."""

import argparse
import sys
import time
from collections import Counter

from tests.fuzz.workers import Result, run_cases


def main() -> int:
    """1 when a case ended as none may."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, nargs="*", help="numbers of cases")
    options = parser.parse_args()
    began = time.perf_counter()
    results = run_cases(options.seed, options.only or list(range(options.count)), processes=2)
    return _tell(results, f"of seed {options.seed} in {time.perf_counter() - began:.0f} s")


def _tell(results: list[Result], of_what: str) -> int:
    for ending, cases in Counter(result.verdict.ending for result in results).most_common():
        print(f"{cases:6d}  {ending}")
    peak = max(result.megabytes for result in results)
    print(f"{len(results):6d}  cases {of_what}; at most {peak} MB in a process; the slowest:")
    for result in sorted(results, key=lambda result: -result.verdict.seconds)[:5]:
        print(f"        {result.verdict.seconds:5.1f} s  {_described(result)}")
    wrong = [result for result in results if result.verdict.problems]
    for result in wrong:
        print(f"\nWRONG: {_described(result)}")
        for problem in result.verdict.problems:
            print("    " + problem.encode("ascii", "backslashreplace").decode())
    return 1 if wrong else 0


def _described(result: Result) -> str:
    return f"case {result.number}: {result.what}: {result.verdict.ending}"


if __name__ == "__main__":
    sys.exit(main())
