"""What a run used and what that costs: token counts, usage records, dated prices."""
