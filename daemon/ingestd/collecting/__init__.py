"""Looks after one collector: its ticks, its runs, their points, and the state behind them."""
