"""Output for people and machines: LaTeX, text, kernels."""
