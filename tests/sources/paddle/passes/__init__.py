"""Passes, each on small programs made by hand."""
