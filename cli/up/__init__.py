"""The whole platform on one machine: start it, look at it, stop it."""
