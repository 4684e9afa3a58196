"""Adapters, one for each kind of store."""
