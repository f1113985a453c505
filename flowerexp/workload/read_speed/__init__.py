"""The experiment read_speed: the readers of images, the sources that they read, and how one cell is measured."""
