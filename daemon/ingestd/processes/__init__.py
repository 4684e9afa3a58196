"""Starts processes under a supervisor, and ends what they have started and left behind."""

from ingestd.processes.descendants import MARK, kill_descendants, kill_strays, new_mark, strays

__all__ = ["MARK", "kill_descendants", "kill_strays", "new_mark", "strays"]
