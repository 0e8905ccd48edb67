"""docs/scoring.md says of the cost what its command prints for the measurements that are kept."""

import json

from bench.scoring_cost import PRICES, Speed, costs, document
from bench.transform_ways import MEASURED
from tests.support.places import ROOT


def prices() -> dict[str, object]:
    found: dict[str, object] = json.loads(PRICES.read_text())
    return found


def test_the_table_of_the_cost_is_what_the_command_prints() -> None:
    assert document(prices(), Speed.read()) in (ROOT / "docs/scoring.md").read_text()


def test_the_rows_per_second_are_those_that_were_measured() -> None:
    text = (ROOT / "docs/scoring.md").read_text()
    for each in json.loads(MEASURED.read_text())["measured"]:
        assert f" {each['rows_per_second']:,} | {each['naive_rows_per_second']:,} |" in text, each


def test_twice_the_speed_halves_the_time_that_is_no_start_and_dearer_instances_cost_more() -> None:
    slow, fast = (costs(prices(), Speed(lines=speed, job=speed, asked=400, answered=700)) for speed in (5_000, 10_000))
    dear = costs(
        prices() | {"instance_hour": {"ml.m5.large": 1.15, "ml.m5.xlarge": 2.3}}, Speed(5_000, 5_000, 400, 700)
    )
    for first, second, other in zip(slow[:3], fast[:3], dear[:3], strict=True):
        assert first.minutes > second.minutes
        assert first.instances > second.instances
        assert abs(other.instances - 10 * first.instances) < 1e-9
    # A million rows at 5,000 a second are 200 seconds, of which a job in one process saves the half.
    assert abs(slow[2].minutes - fast[2].minutes - 100 / 60) < 1e-9
    # Four instances of two CPUs.
    assert abs(slow[0].minutes - fast[0].minutes - 100 / 60 / 8) < 1e-9


def test_answers_of_more_than_a_kibibyte_take_two_writes_of_the_table_and_two_of_its_index() -> None:
    small, large = (costs(prices(), Speed(5_000, 5_000, 400, answered))[-1].writes for answered in (700, 1_000))
    assert (round(small, 2), round(large, 2)) == (1.25, 2.50)
