"""The benchmark of emitted kernels: what is measured, against whom, and how (see docs/benchmarks.md)."""
