"""How good the evidence of each sensor is, minute by minute, in four words: correct, complete, clean, live.

facts    what was counted of a sensor in one interval, and the journal's table of it
tally    what ingest counts between two commits
ledger   that table, for those who ask and close
words    the four words, computed from facts
examine  closes intervals: asks the store, keeps the words there
report   facts step by step, for people
"""
