"""Measure how the rate of one job grows with its workers."""
