"""An embedded server that speaks the Assistants API with no key and no network."""
