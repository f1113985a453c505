"""Measure how fast JSON lines are compressed, as `conf/entrypoint/compress_lines.yaml` declares it."""

import bz2
import lzma
import zlib

from json_records import lines_of

from flowerexp.workload import main

COMPRESS = {
    "zlib": zlib.compress,
    "bz2": bz2.compress,
    "lzma": lambda text, level: lzma.compress(text, preset=level),
}


def prepare(spark, config):
    """The lines for each number of them; made once a run, and sent to the executors."""
    nesting = config["entrypoint"]["settings"]["nesting"]
    return {count: lines_of(count, nesting) for count in config["grid"]["lines"]}


def measure(prepared, cell):
    """Compress them in one piece; how small they get is a column beside how long it takes."""
    text = prepared[cell["lines"]]
    small = COMPRESS[cell["codec"]](text, cell["level"])
    return {"megabytes": len(text) / 1e6, "compressed_share": len(small) / len(text)}


if __name__ == "__main__":
    main(measure, prepare)
