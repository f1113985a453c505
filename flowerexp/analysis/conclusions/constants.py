"""Constants of comparisons, which commands may read without the libraries that compute them."""

PRIOR_DEVIATION = 0.08
"""How far runs of one config are expected to disagree before this is measured: the standard deviation of the logarithm
of their values. It is a compromise: short runs on a shared machine disagree by more (``docs/trust.md`` has what was
measured), long ones on a quiet machine by less. So it has few degrees of freedom."""

PRIOR_FREEDOM = 2
"""The degrees of freedom that `PRIOR_DEVIATION` counts as: as much as three runs of one config would say."""

MOST_REPEATS = 100
"""The most repeats that `repeats_needed` recommends; more are not worth the time."""
