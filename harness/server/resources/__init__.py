"""One module an API noun: checks the request, changes the state, answers with the object."""
