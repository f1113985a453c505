"""The contact sheet: nine of the written images, in their places."""

import io

import numpy as np
import pytest
from PIL import Image

from flowerexp import storage
from flowerexp.errors import DataError
from flowerexp.workload import formats
from flowerexp.workload.images import examples, tfrecords
from flowerexp.workload.write_shards.contact_sheet import CAPTION, GAP, contact_sheet

COLOURS = [(200, 20, 20), (20, 200, 20), (20, 20, 200), (200, 200, 20), (20, 200, 200)]

TFRECORD = formats.of("tfrecord")


def write(root, name, colours, size=(40, 30)):
    """A TFRecord file of plain images, labelled by the number of their colour; gives its URI."""
    uri = storage.join(root, name)
    records = []
    for colour in colours:
        image = io.BytesIO()
        Image.new("RGB", size, COLOURS[colour]).save(image, "JPEG", quality=95)
        records.append(examples.encode_example(image.getvalue(), colour))
    file = io.BytesIO()
    tfrecords.write_file(file, iter(records))
    storage.write_bytes(uri, file.getvalue())
    return uri


def shown(content, size=(40, 30)):
    """The nearest of the colours at each place of a sheet, row by row; None where it is white."""
    sheet = np.asarray(Image.open(io.BytesIO(content)), int)
    found = []
    for top in range(GAP, sheet.shape[0], size[1] + CAPTION + GAP):
        for left in range(GAP, sheet.shape[1] - GAP, size[0] + GAP):
            pixel = sheet[top + size[1] // 2, left + size[0] // 2]
            away = [abs(pixel - colour).sum() for colour in COLOURS]
            found.append(None if pixel.min() > 240 else int(np.argmin(away)))
    return found


@pytest.mark.parametrize(
    ("files", "places"),
    [
        ([[0] * 9], [0] * 9),
        ([[0, 1, 2, 3, 4]], [0, 1, 2, 3, 4, None]),
        ([[0, 1, 2], [3] * 5, [4] * 9], [0, 3, 4, 1, 3, 4, 2, 3, 4]),
        ([[number % 5, 0] for number in range(12)], [0, 1, 2, 3, 4, 0, 1, 2, 3]),
        ([[0], [1] * 9], [0, 1, 1, 1, 1, 1]),
    ],
    ids=str,
)
def test_images_come_from_as_many_files_as_there_are(tmp_path, files, places):
    uris = [write(str(tmp_path), f"{number}.tfrec", colours) for number, colours in enumerate(files)]
    assert shown(contact_sheet(uris, ["a", "b", "c", "d", "e"], TFRECORD)) == places


def test_labels_are_written_below_the_images(tmp_path):
    uri = write(str(tmp_path), "a.tfrec", [0])
    sheets = (contact_sheet([uri], names, TFRECORD) for names in (["roses"], [" "]))
    named, unnamed = (np.asarray(Image.open(io.BytesIO(sheet))) for sheet in sheets)
    assert (named[:38] == unnamed[:38]).all() or abs(named[:38].astype(int) - unnamed[:38]).max() < 30
    assert named[40:].min() < 100 < unnamed[44:].min()


def test_large_images_are_made_smaller(tmp_path):
    uri = write(str(tmp_path), "a.tfrec", [1], (1000, 500))
    assert Image.open(io.BytesIO(contact_sheet([uri], [], TFRECORD))).size == (
        3 * (192 + GAP) + GAP,
        96 + CAPTION + 2 * GAP,
    )


def test_damage_is_told(tmp_path):
    (tmp_path / "a.tfrec").write_bytes(b"nothing of that kind, and long enough")
    with pytest.raises(DataError, match="damaged"):
        contact_sheet([str(tmp_path / "a.tfrec")], [], TFRECORD)
