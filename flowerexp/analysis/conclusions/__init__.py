"""What can be concluded from runs: which differences are real, how large they are, and which are too small to matter.

Everything that compares settings or runs rests on this package: the report, the lines on the screen, MLflow and
``flowerexp compare``. What belongs here is the statistics of comparisons and the sentences about
them. ``docs/trust.md`` has the error rates as measured.
"""
