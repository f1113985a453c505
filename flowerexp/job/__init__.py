"""A job: what is shipped to its cluster, how it is followed, and what it leaves."""
