"""Imported at start-up by Python with a preloaded sanitizer; see ../lit.cfg.py."""

import os

os.environ.pop("LD_PRELOAD", None)
