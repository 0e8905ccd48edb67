"""Whether a file is small enough for the queue is known while its bytes arrive."""

from __future__ import annotations

import gzip
from collections.abc import Iterator

import pytest

from tenant_experience.queue.size import SizeCheck, TooLargeForQueueError

LIMIT = 5_000


def blocks(content: bytes, length: int = 1_000) -> Iterator[bytes]:
    return (content[start : start + length] for start in range(0, len(content), length))


@pytest.mark.parametrize("extension", [".csv", ".tsv", ".txt", ".jsonl"])
def test_a_file_with_too_many_lines_is_stopped_before_all_of_it_was_read(extension: str) -> None:
    taken = []
    with pytest.raises(TooLargeForQueueError, match="more than 5,000 rows"):
        taken.extend(SizeCheck(extension, LIMIT).passed(blocks(b"1,2\n" * 100_000)))
    assert sum(map(len, taken)) < 30_000


def test_a_file_at_the_limit_passes_as_it_is_with_its_header_and_what_stands_before_it() -> None:
    content = b"title\n" * 1_000 + b"a,b\n" + b"1,2\n" * LIMIT
    assert b"".join(SizeCheck(".csv", LIMIT).passed(blocks(content))) == content


@pytest.mark.parametrize("members", [1, 3])
def test_a_packed_file_is_counted_as_it_unpacks(members: int) -> None:
    packed = b"".join(gzip.compress(b"1,2\n" * (30_000 // members)) for _ in range(members))
    with pytest.raises(TooLargeForQueueError, match="rows"):
        list(SizeCheck(".csv.gz", LIMIT).passed(blocks(packed, 100)))
    small = gzip.compress(b"1,2\n" * 4_000)
    assert b"".join(SizeCheck(".csv.gz", LIMIT).passed(blocks(small, 7))) == small


def test_a_packed_file_that_unpacks_to_very_much_is_stopped() -> None:
    with pytest.raises(TooLargeForQueueError, match="more than 10,000,000 bytes"):
        list(SizeCheck(".csv.gz", LIMIT, longest=10_000_000).passed(blocks(gzip.compress(bytes(30_000_000)))))


def test_a_damaged_packed_file_passes_and_its_reader_refuses_it() -> None:
    content = gzip.compress(b"1,2\n" * 4_000)[:-20] + b"nonsense" * 10
    assert b"".join(SizeCheck(".csv.gz", LIMIT).passed(blocks(content))) == content
    assert b"".join(SizeCheck(".csv.gz", LIMIT).passed(blocks(b"no gzip at all"))) == b"no gzip at all"


@pytest.mark.parametrize("extension", [".parquet", ".json", ".zip"])
def test_line_feeds_mean_nothing_in_files_whose_rows_are_no_lines(extension: str) -> None:
    content = b"\n" * 100_000
    assert b"".join(SizeCheck(extension, LIMIT).passed(blocks(content))) == content
    with pytest.raises(TooLargeForQueueError, match="bytes"):
        list(SizeCheck(extension, LIMIT, longest=50_000).passed(blocks(content)))
