"""boto3 adapters: the only modules of the package that call AWS. AWS's error codes become our errors here."""

__all__ = [
    "approvals",
    "client_errors",
    "endpoint",
    "executions",
    "feature_group",
    "feature_store_writer",
    "link_signature",
    "live_models",
    "model_endpoint",
    "model_registry",
    "notifications",
    "objects",
    "pseudonym_key",
    "release_table",
    "served_features",
]
