"""The code that runs on the cluster; it needs PySpark and the image libraries, and nothing of the launching side."""
