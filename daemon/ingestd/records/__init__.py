"""What is kept of collectors on disk: their state, their runs and their series."""
