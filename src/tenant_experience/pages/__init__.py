"""What every page for people is made of: one style, one set of formats, templates that fetch nothing."""

__all__ = ["html_page", "plots"]
