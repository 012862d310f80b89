"""Terms with indices: bound names, sums and deltas, handled without capture."""
