"""The tenant ids that a person types into a command."""

from __future__ import annotations

from pathlib import Path

from operations.errors import OperationError
from tenant_experience.tenant_id import RULE, IdCase, normal_id, normalised, tenant_id_of
from tenant_experience.use_case.schema import load_use_case


def checked_tenant_id(text: str, use_case: Path) -> str:
    """The tenant id that is meant, in its normal form.

    Args:
        text: the id as it was typed.
        use_case: the folder of the use case, which says whether ids differ by case.

    Raises:
        OperationError: this cannot be an id.
        UserError: the use case cannot be read.
    """
    tenant = tenant_id_of(text, load_use_case(use_case).record_id_case)
    if tenant is None:
        raise OperationError(f"the given id is not valid: {RULE}")
    return tenant


def stored_ids(text: str, case: IdCase) -> tuple[str, ...]:
    """The ids under which the tenant may be stored; the first is the one that is written now.

    Others are from before the use case declared that case does not count: as the id was typed, and in capital letters.
    """
    meant = normal_id(text, case)
    older = (normalised(text), meant.upper()) if case == "insensitive" and meant.isascii() else (normalised(text),)
    return tuple(dict.fromkeys((meant, *older)))
