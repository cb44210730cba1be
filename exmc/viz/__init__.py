"""Pictures of results, drawn by arviz-plots."""
