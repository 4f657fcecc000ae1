"""``python -m sbgen`` is ``sbgen``."""

import sys

from .cli import main

sys.exit(main())
