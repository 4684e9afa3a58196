"""From the buffer to a store, to the spool, or to the dead letters."""
