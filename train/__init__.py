"""Training of self-binarizing networks."""
