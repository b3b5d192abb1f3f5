"""Capture files and what is in their packets: reading, writing, choosing, merging, describing, sanitizing.

Nothing here detects anything, and nothing trusts a length that a file or a packet gives.
"""
