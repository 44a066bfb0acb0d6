"""Answer for routes: over which versions an alias is weighted, and why a request goes where."""
