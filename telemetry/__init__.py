"""One way each to emit logs, metrics and traces."""
