"""The report, and the short HTML forms that notebooks show."""
