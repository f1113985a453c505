"""Sweeps: from the command line and `sweep.*` to the runs, their configs, and what becomes of them."""
