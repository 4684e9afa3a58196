"""The state directory and its one database."""
