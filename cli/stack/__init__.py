"""The platform's servers on one machine, without containers."""
