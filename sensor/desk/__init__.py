"""The analyst's desk: what is made of a replay's events after the line: comparisons, reports, evidence,
conversations. It reads events and captures; it must not detect anything itself.
"""
