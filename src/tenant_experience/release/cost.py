"""What a release costs, by list prices. They are the same everywhere but in this table and on AWS's bill."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

# On demand, in US dollars an hour, in us-east-1; the same for processing, training, transforms and endpoints.
# https://aws.amazon.com/sagemaker/pricing/: look there before you rely on one, and change the date with the table.
PRICES_AS_OF = "October 2025"
PRICES = {
    "ml.t3.medium": 0.05,
    "ml.t3.large": 0.10,
    "ml.t3.xlarge": 0.20,
    "ml.m5.large": 0.115,
    "ml.m5.xlarge": 0.23,
    "ml.m5.2xlarge": 0.461,
    "ml.m5.4xlarge": 0.922,
    "ml.m5.12xlarge": 2.765,
    "ml.m5.24xlarge": 5.53,
    "ml.c5.large": 0.102,
    "ml.c5.xlarge": 0.204,
    "ml.c5.2xlarge": 0.408,
    "ml.c5.4xlarge": 0.816,
    "ml.c5.9xlarge": 1.836,
    "ml.r5.large": 0.151,
    "ml.r5.xlarge": 0.302,
    "ml.r5.2xlarge": 0.605,
    "ml.r5.4xlarge": 1.21,
}
HOURS_A_MONTH = 730


def cost_sentences(instance_type: str, instance_count: int, instance_seconds: Mapping[str, float]) -> list[str]:
    """The endpoint for a month, and the jobs of a release.

    Args:
        instance_type: of the endpoint.
        instance_count: of the endpoint.
        instance_seconds: instance type -> what the jobs of the release have used until now; empty where that is not
            known, so that nothing is said of it.
    """
    return [*_endpoint(instance_type, instance_count), *_jobs(instance_seconds)]


def _endpoint(instance_type: str, count: int) -> Iterator[str]:
    what = f"{count} \N{MULTIPLICATION SIGN} {instance_type}"
    price = PRICES.get(instance_type)
    if price is None:
        yield f"The endpoint ({what}) costs the same whatever you decide; its list price is not in our table."
        return
    yield (
        f"The endpoint costs about ${price * count * HOURS_A_MONTH:,.0f} a month ({what}), the same whatever you "
        f"decide: list price of us-east-1, {PRICES_AS_OF}."
    )


def _jobs(instance_seconds: Mapping[str, float]) -> Iterator[str]:
    used = {name: seconds / 3600 for name, seconds in instance_seconds.items() if seconds > 0}
    if not used:
        return
    cost = sum(hours * PRICES.get(name, 0.0) for name, hours in used.items())
    unknown = sorted(used.keys() - PRICES.keys())
    without = f", without {', '.join(unknown) or 'others'}, whose price is not in our table" if unknown else ""
    hours = sum(used.values())
    minutes = max(1, round(60 * hours))
    time = f"{hours:,.1f} instance hours" if hours >= 1 else f"{minutes} instance minute{'' if minutes == 1 else 's'}"
    money = f"about ${cost:,.2f}" if cost >= 0.01 else "less than one cent"
    yield (
        f"The jobs of this release have used {time}, {money} by the same prices{without}. They are paid whatever you "
        "decide."
    )
