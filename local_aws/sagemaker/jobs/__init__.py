"""Training, processing, transform and tuning jobs: each one is real processes of this machine."""
