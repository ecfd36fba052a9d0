"""The edges: one outside system per module, each behind a port, none of which decides."""
