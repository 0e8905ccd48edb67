"""The tenant ids that a person types into a command."""

from __future__ import annotations

from operations.errors import OperationError
from tenant_experience.tenant_id import RULE, tenant_id_of


def checked_tenant_id(text: str) -> str:
    """The tenant id that is meant, in its normal form.

    Raises:
        OperationError: this cannot be an id.
    """
    tenant = tenant_id_of(text)
    if tenant is None:
        raise OperationError(f"the given tenant id is not valid: {RULE}")
    return tenant
