"""Uploaded documents become text, page by page, read in processes of their own."""

from harness.server.reading.documents import Document, Page, Unreadable

__all__ = ["Document", "Page", "Unreadable"]
