"""For applications: questions encoded with the model that is registered, before a switch, during it and after it."""
