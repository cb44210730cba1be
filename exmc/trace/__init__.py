"""Results: what arrays a run has, how they become a DataTree, and how they are kept on disk."""
