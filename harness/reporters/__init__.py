"""Turns a stored suite run into pages and tables for people and machines."""
