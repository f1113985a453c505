"""What the experiments on images share: find photographs, decode and shrink them, write and read TFRecord files."""

LARGEST = 16
"""How many times the target's pixels a resized photograph may have, including what is cut off. A strip of 1 x 40,000
pixels would have 1.5 billion and take 17 GB."""
