"""One chain: where it starts, how it is warmed up and advanced, what it reports."""
