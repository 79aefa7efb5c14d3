"""Hand edits of the mapping: validation, application, and the file that keeps them."""
