"""Which cluster to rent: an adaptive choice of the next one to try, which stops when trying costs more than it saves.

Pure and seeded: it knows nothing of Hydra, of clouds, of MLflow or of clocks.
"""

from flowerexp.search.candidate import Candidate, Shape
from flowerexp.search.recommend import Prediction, Recommendation
from flowerexp.search.rules import Why
from flowerexp.search.search import RunLimits, Search, Stop, Suggestion, amount
from flowerexp.search.smoke import Bound, SmokeRun, bound, hopeless, in_vain
from flowerexp.search.trials import Objective, Observation, Rule, SearchSettings, Status

__all__ = [
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
]
