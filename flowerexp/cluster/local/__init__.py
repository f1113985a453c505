"""The kind `local`: Spark in one process of this machine."""
