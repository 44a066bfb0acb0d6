"""What is scored: each workload is a dataset, a model and an oracle."""
