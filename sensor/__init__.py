"""Everything that runs at the tap or on an analyst's laptop."""

__version__ = "0.1.0"  # as in pyproject.toml; a test holds them equal
