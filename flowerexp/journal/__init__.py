"""The journal of a sweep: an append-only record of what was planned, submitted, finished and lost; resume reads it.

`events` are what can happen, `state` is what they add up to, and `journal` reads and writes the files. Here are the
names of the files in the folder of a sweep or a run.
"""

PLAN = "plan.json"
"""What a sweep consists of."""
JOURNAL = "journal.jsonl"
"""The events of a sweep, a line each."""
SEARCH = "search.json"
"""What a search for a cluster has found."""
RECORD = "run.json"
"""The record of a run."""
LOCK = ".lock"
"""Held by the launcher that works on the folder."""
