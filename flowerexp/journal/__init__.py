"""The journal of a sweep: an append-only record of what was planned, submitted, finished and lost; resume reads it.

`events` are what can happen, `state` is what they add up to, and `journal` is the files.
"""

from flowerexp.journal.events import DONE
from flowerexp.journal.journal import JOURNAL, LOCK, PLAN, RECORD, SEARCH, Journal, refuse_taken
from flowerexp.journal.state import State

__all__ = ["DONE", "JOURNAL", "LOCK", "PLAN", "RECORD", "SEARCH", "Journal", "State", "refuse_taken"]
