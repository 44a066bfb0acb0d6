"""Online: everything built on FastAPI."""
