"""The benchmarks; ``make bench`` prints their table."""
