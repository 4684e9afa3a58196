"""The collectors that ship with ingestd."""
