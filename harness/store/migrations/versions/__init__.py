"""The scripts, oldest first; each says in its docstring what it changes."""
