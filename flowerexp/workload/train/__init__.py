"""The experiment train: a small network learns the classes of photographs, an epoch at a time, on some workers."""
