"""Lint: what is allowed in a rule and yet costs, misleads or cannot work. The engine says what does not load;
nothing here repeats that, and no keyword is listed here that the engine's own table lists.

One check is one file in `checks/` and one word in its list; tests, `haidang rules check` and docs/lint.md
follow from the entry.
"""
