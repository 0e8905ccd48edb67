"""How a SageMaker job runs and ends: its outcome, the failures of single partitions, and its archives."""

__all__ = ["archive", "instance_resources", "job", "outcome", "partition_runs"]
