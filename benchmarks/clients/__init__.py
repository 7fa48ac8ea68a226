"""What ``harness run`` costs, beside the least that a script on the openai package needs for the same."""
