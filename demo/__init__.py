"""The story that ``make demo`` tells: generated data, one release through the laptop's AWS, and a summary."""
