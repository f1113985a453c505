"""flowerexp: experiments on how fast image data can be read, described in YAML, run on Spark here or on a cluster."""

__version__ = "0.1.0"
