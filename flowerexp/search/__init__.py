"""The optimiser that finds the cluster to rent: it chooses the next one to try, and stops when trying costs too much.

Pure and seeded functions belong here, without Hydra, clouds, MLflow and clocks; `flowerexp.cluster_search` runs them.
"""

from flowerexp.search.candidate import Candidate, Shape
from flowerexp.search.recommend import ALIKE, Prediction, Recommendation
from flowerexp.search.rules import Why
from flowerexp.search.search import RunLimits, Search, Stop, Suggestion, amount
from flowerexp.search.smoke import Bound, SmokeRun, bound, hopeless, in_vain, needed_memory
from flowerexp.search.trials import Objective, Observation, Rule, SearchSettings, Status

__all__ = [
    "ALIKE",
    "Bound",
    "Candidate",
    "Objective",
    "Observation",
    "Prediction",
    "Recommendation",
    "Rule",
    "RunLimits",
    "Search",
    "SearchSettings",
    "Shape",
    "SmokeRun",
    "Status",
    "Stop",
    "Suggestion",
    "Why",
    "amount",
    "bound",
    "hopeless",
    "in_vain",
    "needed_memory",
]
