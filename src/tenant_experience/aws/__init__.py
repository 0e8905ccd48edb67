"""boto3 adapters: the only modules of the package that call AWS. They translate AWS's error codes into our errors."""

__all__ = [
    "approvals",
    "client_errors",
    "endpoint",
    "event_bucket",
    "executions",
    "feature_group",
    "feature_store_writer",
    "kept_answers",
    "link_signature",
    "live_models",
    "model_archives",
    "model_endpoint",
    "model_registry",
    "notifications",
    "objects",
    "pseudonym_key",
    "release_table",
    "served_features",
]
