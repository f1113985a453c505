"""What the kinds of cluster in Google Cloud share; nothing here knows one of them.

- `config`, `kind`, `backend`: what their config classes, kinds and backends have in common
- `machines`: machine types of Compute Engine
- `quotas`: what a region has left, as Compute Engine says
- `clients`: Google's own client libraries, connected to Google or to an emulator, and how patient they are
- `names`: the names of clusters, jobs and batches, and their labels
- `refusals`: what Google says, as one line that a user can act on, without secrets
- `staging`: the bucket
- `wheels`: the packages that the jobs import
- `output`, `submission`: follow a job and read its output; `verify` is what a job begins with
"""
