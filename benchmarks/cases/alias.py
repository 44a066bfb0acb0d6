"""Name the alias under which the harness registers each workload's model."""

ALIAS = "bench"
"""The benchmarks' own, which nobody's model has."""
