"""The experiment write_shards: how fast photographs become shards, and a picture of the result."""
