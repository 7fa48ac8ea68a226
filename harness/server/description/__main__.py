"""Writes the page of what is and is not done: ``python -m harness.server.description FILE``."""

from __future__ import annotations

import sys
from pathlib import Path

from harness.server.description.coverage import page

Path(sys.argv[1]).write_text(page(), "utf-8")
