"""The parts that all pages share: one style, one set of formats, plots, and templates that fetch nothing."""

__all__ = ["html_page", "plots"]
