"""flowerexp's Hydra plugins: a launcher and a sweeper. Hydra imports this at every start, so nothing heavy."""
