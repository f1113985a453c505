"""What the experiments on images share: find photographs, decode and shrink them, write them as shards."""

LARGEST = 16
"""How many times the target's pixels a resized photograph may have, including what is cut off. A strip of 1 x 40,000
pixels would have 1.5 billion and take 17 GB."""
SCALES = (8, 4, 2)
"""How many times smaller a JPEG can be decoded, by libjpeg's smaller inverse DCTs. libjpeg has sixteen scales, but
TensorFlow (``ratio``) and Pillow (``draft``) offer these alone, and all readers shall give the same pixels."""
