"""A value takes the place of a parameter, and of nothing that only looks like one."""

from __future__ import annotations

import pytest

from tenant_experience.use_case.sql_text import substituted


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("$as_of", "NOW"),
        ("  [$as_of,-$as_of::DATE]\n", "  [NOW,-NOW::DATE]\n"),
        ("'\u00e9' || $as_of", "'\u00e9' || NOW"),
        ("\u00e9$as_of < $as_of", "\u00e9$as_of < NOW"),
        ("x$as_of", "x$as_of"),
        ('"a $as_of" < $as_of', '"a $as_of" < NOW'),
        ("'a''$as_of' || $as_of", "'a''$as_of' || NOW"),
        ("$$ $as_of $$ || $as_of", "$$ $as_of $$ || NOW"),
        ("$as_of$ $as_of $as_of$ || $as_of", "$as_of$ $as_of $as_of$ || NOW"),
        ("/* a /* $as_of */ it's */ $as_of -- $as_of", "/* a /* $as_of */ it's */ NOW -- $as_of"),
        ("$as_ofx + $AS_OF + $ as_of + $1", "$as_ofx + $AS_OF + $ as_of + $1"),
        ("", ""),
        ("'not ended $as_of", "'not ended $as_of"),
    ],
)
def test_a_value_takes_the_place_of_a_parameter_alone(sql: str, expected: str) -> None:
    assert substituted(sql, {"as_of": "NOW"}) == expected
