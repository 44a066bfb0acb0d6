"""Measure online requests beside Triton itself: `make bench-online`."""
