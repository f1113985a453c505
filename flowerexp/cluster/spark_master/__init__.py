"""The kind `spark_master`: a Spark cluster that exists already."""
