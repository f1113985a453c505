"""Compare runs with one of them, and rank the settings of a sweep: what `flowerexp compare` and the API show.

`sides` puts runs that repeat each other together and compares the sides, `text` shows that; `ranked` shows the settings
of a sweep from the best to the worst. The statistics are in `flowerexp.analysis`.
"""
