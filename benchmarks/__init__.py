"""Measure Nightshift beside what people would write or use instead."""
