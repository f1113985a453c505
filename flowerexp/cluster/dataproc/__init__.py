"""Google Dataproc: clusters that are created, used and deleted for a sweep, and serverless batches.

- `backend`: the two kinds of cluster, as `flowerexp.cluster.Backend` wants them; imports Google's libraries when used
- `clients`: Google's own client libraries, pointed at Google or at an emulator; how patient they are
- `names`: how clusters, jobs, batches and their labels are called
- `refusals`: what Google says, as one line that a user can act on, without secrets
- `executors`: how Spark shares the machines out
- `requests`: a cluster's config as the message that creates it
- `presence`: find a cluster, delete it; `lifecycle`: have one, created or found again
- `staging`: the bucket
- `wheels`: the packages that the jobs import
- `output`, `submission`, `jobs`, `batches`: submit and follow; `verify` is what a job begins with
- `leftovers`: find and delete what is ours
"""
