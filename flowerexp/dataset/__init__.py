"""Data sets: a module for each kind, with the keys of its config and what is known of it before a run."""
