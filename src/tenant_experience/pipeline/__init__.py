"""What a job does, put together from the rooms: building features, evaluating a shard, replaying a model."""

__all__ = [
    "adding_up",
    "batch",
    "build_features",
    "computing",
    "evaluate_shard",
    "live_release",
    "refused_features",
    "replay",
    "split_files",
    "tenant_outcomes",
]
