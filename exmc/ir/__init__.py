"""The model as data: nodes, expressions, building, checking, text and JSON."""
