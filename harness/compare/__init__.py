"""Two variants over the same conversations: tables of trials become verdicts that do not cry wolf."""
