"""Reads the past anew, window by window, and finds the gaps in it."""
