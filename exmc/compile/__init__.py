"""From a log density written in autograd.numpy to machine code."""
