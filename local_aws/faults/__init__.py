"""Failure on demand: the rules, and the requests over HTTP that they match."""
