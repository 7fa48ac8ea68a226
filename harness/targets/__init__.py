"""Where an assistant lives: one interface, many places."""
