"""Reading prepared data: the error names a damaged manifest, and every damage to a file is detected."""

import io
import json

import pytest

from flowerexp.errors import DataError
from flowerexp.workload import formats
from flowerexp.workload.images import tfrecords
from flowerexp.workload.images.prepared import MANIFEST, checksum, damage, misfits, read_manifest

TFRECORD = formats.of("tfrecord")


@pytest.fixture
def made(tmp_path):
    """A folder of two files of three records, and its manifest."""
    files = []
    for number in range(2):
        file = io.BytesIO()
        records = tfrecords.write_file(file, [bytes([number, digit]) * 50 for digit in range(3)])
        file.seek(0)
        size, crc32c = checksum(file)
        name = f"part-{number}.tfrec"
        (tmp_path / name).write_bytes(file.getvalue())
        files.append({"file": name, "partition": number, "records": records, "bytes": size, "crc32c": crc32c})
        files[-1].update(class_records=[3], host="a")
    manifest = {"fingerprint": tmp_path.name, "records": 6, "bytes": 1, "classes": ["a"], "class_records": {"a": 6}}
    manifest.update(skipped=[], files=files)
    (tmp_path / MANIFEST).write_text(json.dumps(manifest))
    return str(tmp_path), manifest


def test_what_is_whole_is_whole(made):
    folder, manifest = made
    assert read_manifest(folder) == manifest
    assert misfits(folder, manifest) == {}
    assert [damage(folder, file, TFRECORD) for file in manifest["files"]] == [None, None]


@pytest.mark.parametrize("has_checksum", [True, False])
def test_any_flipped_bit_is_found_with_its_record(made, tmp_path, has_checksum):
    folder, manifest = made
    file = dict(manifest["files"][1])
    if not has_checksum:  # as manifests were before
        del file["crc32c"]
        assert damage(folder, file, TFRECORD) is None
    whole = (tmp_path / "part-1.tfrec").read_bytes()
    for place in range(len(whole)):
        content = bytearray(whole)
        content[place] ^= 1 << place % 8
        (tmp_path / "part-1.tfrec").write_bytes(content)
        number = place // (len(whole) // 3)
        said = damage(folder, file, TFRECORD)
        assert said
        assert said.startswith(f"record {number + 1} at byte {number * len(whole) // 3} has a wrong checksum")


def test_other_damage_is_found(made, tmp_path):
    folder, manifest = made
    first, second = manifest["files"]
    whole = (tmp_path / "part-1.tfrec").read_bytes()
    (tmp_path / "part-0.tfrec").unlink()
    (tmp_path / "part-1.tfrec").write_bytes(whole[: len(whole) // 3 * 2])
    assert misfits(folder, manifest) == {
        "part-0.tfrec": "it is missing",
        "part-1.tfrec": f"it has {len(whole) // 3 * 2} bytes, but {len(whole)} were written",
    }
    assert damage(folder, first, TFRECORD) == "it is missing"
    assert damage(folder, second, TFRECORD) == "it has 2 records, but 3 were written"
    record = tfrecords.frame(b"other" * 20)
    (tmp_path / "part-1.tfrec").write_bytes(record * 3)  # whole, of the right size, and of something else
    assert damage(folder, second, TFRECORD) == "it is not what was written, although its records are whole"


def test_no_manifest_is_no_prepared_data(tmp_path):
    assert read_manifest(str(tmp_path)) is None
    assert read_manifest(str(tmp_path / "nowhere")) is None


def cut(content):
    return content[: len(content) // 2]


def without(key):
    def change(content):
        manifest = json.loads(content)
        del manifest[key]
        return json.dumps(manifest).encode()

    return change


def with_file(file):
    return lambda content: json.dumps({**json.loads(content), "files": [file]}).encode()


DAMAGED = {
    "cut": cut,
    "empty": lambda content: b"",
    "zeros": lambda content: bytes(len(content)),
    "not UTF-8": lambda content: b"\xff" + content,
    "a list": lambda content: b"[]",
    "null": lambda content: b"null",
    "lacks files": without("files"),
    "lacks skipped": without("skipped"),
    "a file is a name": with_file("part-0.tfrec"),
    "a file lacks all": with_file({}),
}


@pytest.mark.parametrize("change", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_manifest_is_named(made, tmp_path, change):
    path = tmp_path / MANIFEST
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(DataError) as caught:
        read_manifest(made[0])
    assert f"{path} is damaged: it " in str(caught.value)
    assert "the next run that wants this data prepares it again" in str(caught.value)
