"""Checks of a capture. Thresholds are constants with their reason."""
