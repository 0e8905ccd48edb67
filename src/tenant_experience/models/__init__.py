"""What serving loads: the model's files, how values are encoded, scored and calibrated. Imports stay light."""

__all__ = [
    "artifact",
    "booster",
    "calibration",
    "digests",
    "encoding",
    "network",
    "network_file",
    "partition_levels",
    "scoring",
    "served_model",
    "validation",
]
