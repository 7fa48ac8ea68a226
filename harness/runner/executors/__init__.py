"""How trials are spread over time and machines."""
