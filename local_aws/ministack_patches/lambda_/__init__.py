"""Lambda workers: what a function sees of this machine, and how its exceptions are named."""
