"""From published rule sets to the signed bundle that sensors load: fetch, read, tune, merge, try, sign.

The four files of tuning and threshold.in are read as suricata-update reads them. Everything that comes from a
source is hostile input until the engine has tried it.
"""

LEFT_OUT = ("*deleted.rules",)  # by default, as there
MAX_LOSS_PERCENT = 20.0
