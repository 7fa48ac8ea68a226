"""What did happen: turns, run steps, tool calls and citations of one trial."""
