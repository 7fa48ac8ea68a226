"""The user's words are varied, and what must stay under that is compared with what was."""
