"""Erasing a tenant: place by place, with what was found, and the proof that it is gone."""
