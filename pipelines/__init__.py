"""The stages as tasks: configs, the graph on Dask, the run directory and the command line."""
