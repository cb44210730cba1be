"""The posterior of a run while it is drawn: what can be said of draws that are not kept."""
