"""The cases: number and seed say all about one."""

from random import Random

from tests.fuzz import mutated_archives, mutated_bytes, mutated_settings, mutated_tables, mutated_text
from tests.fuzz.valid_inputs import FORMATS, KINDS, RAW, SETTINGS, Batch, events, tenants, valid_batch

_NAMES = (
    *(
        "data.csv",
        "data.csv.gz",
        "data.jsonl",
        "data.jsonl.gz",
        "data.parquet",
        "data.zip",
        "data.xlsx",
        "data",
        "DATA.CSV",
    ),
    *(
        "a'b.csv",
        "*.csv",
        "[x]?.csv",
        "deep/er/x.csv",
        "new\nline.csv",
        "\x1b[31m.csv",
        "é 東.csv",
        "-rf.csv",
        "%s.csv",
    ),
    *("x" * 240 + ".csv", "_hidden.csv", ".hidden.csv", "\udcff.csv", "manifest.json/data.csv", "deep/manifest.json"),
)


def make_case(seed: int, number: int) -> Batch:
    """A batch with one file mutated, once to three times; ``done`` says how."""
    rng = Random(f"{seed} {number}")
    kind = KINDS[number % len(KINDS)]
    if kind in SETTINGS:
        batch = valid_batch(kind)
        _mutate(batch, rng.choice(mutated_settings.ALL[kind]), rng)
    else:
        batch = _mutated_data(kind, rng)
    if rng.random() < (0.3 if batch.done else 1):
        for _ in range(rng.choice([1, 1, 2])):
            _mutate(batch, rng.choice(mutated_bytes.ALL), rng)
    return batch


def _mutated_data(kind: str, rng: Random) -> Batch:
    layout, _, extension = kind.partition(".")
    table = (tenants if layout == "table" else events)(rng)
    batch = valid_batch(kind)
    if rng.random() < 0.55:
        for _ in range(rng.choice([1, 1, 2])):
            if table.columns:
                mutation = rng.choice(mutated_tables.ALL)
                mutation(table, rng)
                batch.done.append(mutation.__name__)
        batch.content = FORMATS[extension](table)
    if extension == "parquet" and rng.random() < 0.4:
        batch.content = mutated_tables.otherwise_typed_parquet(table, rng)
        batch.done.append("otherwise_typed_parquet")
    if extension in ("csv", "jsonl") and rng.random() < 0.5:
        _mutate(batch, rng.choice(mutated_text.ALL), rng)
    for name, mutations in (("zip", mutated_archives.ALL_ZIP), ("gz", mutated_archives.ALL_GZIP)):
        if extension.endswith(name) and rng.random() < 0.3:
            _mutate(batch, rng.choice(mutations), rng)
    if rng.random() < 0.08:
        batch.content = FORMATS[rng.choice(list(FORMATS))](table)
        batch.done.append("other_format")
    if rng.random() < 0.06:
        batch.rename(rng.choice(_NAMES))
        batch.done.append(f"renamed {batch.target.removeprefix(RAW)!a}")
    return batch


def _mutate(batch: Batch, mutation: mutated_bytes.Mutation, rng: Random) -> None:
    batch.content = mutation(batch.content, rng) if batch.content else batch.content
    batch.done.append(mutation.__name__)
