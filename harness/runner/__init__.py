"""Runs trials and emits events; knows no listener."""
