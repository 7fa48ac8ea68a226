"""The command line: translates arguments, calls one workflow, prints."""
