"""What senders write: a module for each format, from a message to readings."""
