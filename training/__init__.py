"""How the models in the package are made: nothing here is needed to run it."""
