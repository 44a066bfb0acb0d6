"""Build the environments that `make` targets need; standard library only."""
