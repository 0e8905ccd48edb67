"""Athena: answers come from data, or there is none."""
