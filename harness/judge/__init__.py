"""A chat model judges answers by a rubric, and how far it agrees with people is measured."""
