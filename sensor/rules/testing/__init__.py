"""Tests of rules: a folder with test.yaml, a capture or a traffic script, and what must and must not fire.

test.yaml has suricata-verify's form; `traffic` and `alerts` are ours.
"""
