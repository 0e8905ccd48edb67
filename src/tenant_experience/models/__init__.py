"""What serving loads: the model's files, how values are encoded, scored and calibrated. Imports stay light."""

__all__ = [
    "artifact",
    "calibration",
    "digests",
    "encoding",
    "partition_levels",
    "scoring",
    "served_model",
    "validation",
]
