"""The run-contract: what `run` is called with, and what it may give back."""
