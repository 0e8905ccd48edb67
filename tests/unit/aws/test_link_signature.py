"""A signature has one spelling, on moto's KMS."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tenant_experience.aws import link_signature
from tenant_experience.errors import UserError
from tests.support.decision_tables import Answers, decision_tables


@pytest.fixture(scope="module", autouse=True)
def _key() -> Iterator[Answers]:
    with decision_tables() as tables:
        yield tables


def test_a_signature_that_is_spelled_otherwise_is_refused() -> None:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    good = link_signature.sign(b"text")
    link_signature.check(b"text", good)
    place = alphabet.index(good[-1])
    same_bytes = [good[:-1] + alphabet[place ^ bits] for bits in (1, 2, 3)]  # the last character has six bits for four
    padded = [good + "=", good[:9] + "*!.~" + good[9:], good + "    ", good + "=AAA", good.replace("", "\n", 4)]
    for changed in (*same_bytes, *padded, "", "=", "é" * 43, good[:-1], good + "A"):
        with pytest.raises(UserError, match="not valid"):
            link_signature.check(b"text", changed)
    with pytest.raises(UserError, match="not valid"):
        link_signature.check(b"tex", good)
