"""The measuring engine: what every experiment's measurements have in common, on the cluster."""
