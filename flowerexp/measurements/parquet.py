"""Read Parquet files of measurements with their checksums, so that an error names the damaged file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow
import pyarrow.parquet

from flowerexp import records


def read_parquet(path: Path, columns: Sequence[str] | None = None, coded: Sequence[str] = ()) -> pyarrow.Table:
    """Read a Parquet table of measurements.

    Args:
        path: the file's.
        columns: those to read, if they are there; all by default.
        coded: those of text of which the table has the different values once: a number for each row.

    Raises:
        DataError: it is damaged.
    """
    try:
        metadata = pyarrow.parquet.read_metadata(path)
        names = metadata.schema.to_arrow_schema().names
        wanted = None if columns is None else [name for name in columns if name in names]
        # Without a buffer of all columns as they are in the file: it only helps where files are far away.
        options = {"metadata": metadata, "page_checksum_verification": True, "pre_buffer": False}
        texts = [name for name in coded if name in names]
        with pyarrow.parquet.ParquetFile(path, read_dictionary=texts, **options) as file:
            return file.read(wanted)
    except (pyarrow.ArrowException, OSError) as error:
        raise records.damaged(path, " ".join(str(error).split())) from error


def check_parquet(path: Path) -> None:
    """Check the beginning and the end of a Parquet file; one that does not exist is not damaged.

    Raises:
        DataError: it is damaged.
    """
    try:
        pyarrow.parquet.read_schema(path)
    except FileNotFoundError:
        return
    except (pyarrow.ArrowException, OSError) as error:
        raise records.damaged(path, " ".join(str(error).split())) from error
