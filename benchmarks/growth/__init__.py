"""Measure what grows with a job: memory, time, planning, verifying."""
