"""The measuring engine, the same for every experiment: cells, warm-up, clock, limits, rows, and running a job."""
