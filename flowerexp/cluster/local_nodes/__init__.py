"""The kind `local_nodes`: a small cluster on this machine, with executors in processes of their own."""
