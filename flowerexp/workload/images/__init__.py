"""What the experiments on images share: photographs are found, examined, made smaller, written as TFRecord files."""

LARGEST = 16
"""Times the target's pixels: what a photograph may have when it is resized, what is cut off included. A strip of
1 x 40,000 pixels would have 1.5 billion, and take 17 GB."""
