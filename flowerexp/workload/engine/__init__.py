"""The measuring engine: what is the same for every experiment."""
