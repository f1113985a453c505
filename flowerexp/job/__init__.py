"""A job: what is shipped, how it is followed, and what comes home."""
