"""The kind `dataproc`: clusters of virtual machines that are created, used and deleted for a sweep.

- `config`, `kind`, `backend`: as in every kind's folder, see `flowerexp.cluster`
- `nodes`: a cluster's machines, what they cost, and what they need of a region's quotas
- `smaller`: changes that make a cluster fit into a quota
- `ceilings`: what the machines can reach at most
- `executors`: how Spark divides the machines
- `requests`: a cluster's config as the message that creates it
- `presence`: find a cluster, delete it; `lifecycle`: have one, created or found again
- `jobs`: submit, follow and cancel jobs
"""
