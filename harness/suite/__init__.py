"""What should happen: suites of scripted conversations, read from YAML and checked before anything runs."""
