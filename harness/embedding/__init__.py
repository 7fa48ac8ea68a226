"""Vectors of texts, made on this machine by a model that comes with the package."""
