"""How a SageMaker job runs and ends: its outcome, each partition's own failure, its archives."""

__all__ = ["archive", "instance_resources", "job", "outcome", "partition_runs"]
