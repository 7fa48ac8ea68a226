"""YAML files that people write: data that knows the place of every value, mistakes in plain words."""
