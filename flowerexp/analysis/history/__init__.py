"""The history of a metric: lines of runs over time, where their level changes, and how that is shown.

`changes` finds steps, `lines` sorts runs into lines, `table` is for the screen, `page` a page of HTML, and `files` JSON
and CSV. Nothing here knows MLflow: `flowerexp.tracking.history` reads runs from it.
"""
