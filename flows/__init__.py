"""Batch scoring: everything built around Prefect."""
