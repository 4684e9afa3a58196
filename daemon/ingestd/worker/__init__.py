"""What runs inside a worker process, and the words that both of its ends speak."""
