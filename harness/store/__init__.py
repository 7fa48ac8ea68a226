"""Keeps suite runs, traces and scores in one database."""
