"""Benchmarks: what is measured, and how, is in README.md."""
