"""Hand edits."""
