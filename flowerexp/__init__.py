"""flowerexp: experiments described in YAML, run as Spark jobs here or on a cluster, logged to MLflow."""

__version__ = "0.1.0"
"""The only place that holds the version: the package's metadata, `--version` and the records of runs read it."""
