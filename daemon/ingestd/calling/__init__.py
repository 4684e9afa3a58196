"""Calls a plugin's `run`: on the event loop, in a worker process or in a thread."""
