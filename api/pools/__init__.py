"""Pools and their servers over HTTP."""
