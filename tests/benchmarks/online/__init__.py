"""Tests of the benchmark of online requests."""
