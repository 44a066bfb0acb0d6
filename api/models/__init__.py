"""Models, versions and aliases over HTTP."""
