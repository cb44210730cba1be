"""What a model predicts: simulation from prior and posterior, and the pointwise densities of its data."""
