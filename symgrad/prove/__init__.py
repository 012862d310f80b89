"""Proofs: canonical forms, verdicts, counterexamples."""
