"""What a user may name, and how it is found: the one place that knows what the words of commands and of the API mean.

A run or a sweep is named by its folder, by a part of its folder's name, by its id in MLflow or the beginning of that,
by its name in MLflow, or as `last`; `SWEEP/3` is a run of a sweep. `names` finds it, `place` is where it is looked for,
and `saved` reads a run from its folder as `flowerexp.tracking.fetch` reads one from MLflow.
"""
