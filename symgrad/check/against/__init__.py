"""A person's own kernel, run against the derived gradients, and its mistake found by trying the usual ones."""
