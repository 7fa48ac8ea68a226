"""Evaluation and regression testing for AI assistants.

Importing this package does no work: the public names below load their modules when they are first used.
"""

from __future__ import annotations

__version__ = "0.1.0"
