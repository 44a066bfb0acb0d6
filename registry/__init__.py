"""Which models exist, which version is live, and which servers serve it."""
