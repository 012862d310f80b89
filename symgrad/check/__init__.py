"""Emitted kernels and recorded steps, held against references in numbers."""
