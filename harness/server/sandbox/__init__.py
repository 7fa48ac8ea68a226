"""code_interpreter: a separate process with limits, and its files."""
