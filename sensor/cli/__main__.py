"""`python -m sensor.cli` is `haidang`."""

import sys

from sensor.cli import main

sys.exit(main())
