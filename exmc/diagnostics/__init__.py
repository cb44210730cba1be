"""Whether a posterior can be trusted, and how models compare."""
