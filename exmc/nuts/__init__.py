"""Multinomial NUTS and its adaptation, compiled once, over a log density behind a pointer."""
