"""Everything that runs at the tap or on an analyst's laptop."""
