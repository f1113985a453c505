"""The gate: is the code that is here slower than a baseline? Fresh runs of both, in turn, and a decision.

`asked` finds the baseline, `sides` the two commands and their code, `runs` makes the pairs of runs, `decision` decides,
`outcome` puts it into words, and `output` into files.
"""
