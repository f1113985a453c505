"""`flowerexp verify`: says which files of prepared data are damaged, here and in a bucket."""

import io
import json
import logging

import pytest

from flowerexp import cli, storage
from flowerexp.workload.images import tfrecords
from flowerexp.workload.images.prepared import MANIFEST, checksum


def prepare(root, name):
    """Two files of two records; returns the folder."""
    folder, files = storage.join(root, name), []
    for number in range(2):
        file = io.BytesIO()
        records = tfrecords.write_file(file, [bytes([number]) * 99] * 2)
        file.seek(0)
        size, crc32c = checksum(file)
        part = f"part-{number}.tfrec"
        files.append({"file": part, "records": records, "bytes": size, "crc32c": crc32c})
        files[-1].update(partition=number, class_records=[2], host="a")
        storage.write_bytes(storage.join(folder, part), file.getvalue())
    manifest: dict[str, object] = {"fingerprint": name, "records": 4, "bytes": 1, "classes": ["a"]}
    manifest.update(class_records={"a": 4}, skipped=[], files=files)
    storage.write_bytes(storage.join(folder, MANIFEST), json.dumps(manifest).encode())
    return folder


def rot(uri):
    content = bytearray(storage.read_bytes(uri))
    content[-9] ^= 1
    storage.write_bytes(uri, bytes(content))


@pytest.fixture(params=["local", "bucket"])
def root(request, tmp_path):
    return request.getfixturevalue("bucket") + "/prepared" if request.param == "bucket" else str(tmp_path / "prepared")


@pytest.fixture
def verify(capsys):
    """Run the command; returns its exit code and the lines that it printed."""

    def verify(*words):
        with pytest.raises(SystemExit) as caught:
            cli.main(["verify", *words])
        printed = capsys.readouterr()
        return caught.value.code, (printed.out + printed.err).splitlines()

    return verify


def test_all_prepared_data_of_the_config(verify, root, tmp_path):
    one, other = prepare(root, "one"), prepare(root, "other")
    place = f"storage.prepared={root}"
    assert verify(f"home={tmp_path}", place) == (
        0,
        [f"whole    {one}: 2 files, 4 images", f"whole    {other}: 2 files, 4 images"],
    )
    rot(f"{one}/part-1.tfrec")
    code, lines = verify(f"home={tmp_path}", place)
    assert code == 1
    assert lines[0].startswith(f"damaged  {one}: 1 of 2 files, 4 images; a run that reads one of these writes it again")
    assert lines[1:] == [
        "         part-1.tfrec: record 2 at byte 115 has a wrong checksum",
        f"whole    {other}: 2 files, 4 images",
    ]


def test_folders_that_are_named(verify, root):
    one, other = prepare(root, "one"), prepare(root, "other")
    storage.remove(f"{one}/part-0.tfrec")
    assert verify(other)[0] == 0
    assert verify(one)[1][1:] == ["         part-0.tfrec: it is missing"]
    assert [len(lines) for _, lines in (verify(other, other), verify(root))] == [2, 3]


def test_a_folder_may_have_an_equals_sign_in_its_name(verify, tmp_path):
    folder = prepare(str(tmp_path), "data=2")
    assert verify(folder) == (0, [f"whole    {folder}: 2 files, 4 images"])


def test_a_manifest_without_checksums_is_said_to_have_none(verify, root):
    folder = prepare(root, "old")
    manifest = json.loads(storage.read_bytes(f"{folder}/{MANIFEST}"))
    for file in manifest["files"]:
        del file["crc32c"]
    storage.write_bytes(f"{folder}/{MANIFEST}", json.dumps(manifest).encode())
    assert verify(folder) == (0, [f"whole    {folder}: 2 files, 4 images, by the checksums of their records"])
    rot(f"{folder}/part-0.tfrec")
    assert verify(folder)[0] == 1


def test_a_damaged_manifest_is_named(verify, root):
    folder = prepare(root, "one")
    storage.write_bytes(f"{folder}/{MANIFEST}", b'{"fing')
    code, lines = verify(root)
    assert code == 1
    assert lines[0].startswith(f"damaged  {folder}: {folder}/{MANIFEST} is damaged: it is not JSON")
    storage.remove(f"{folder}/{MANIFEST}")
    assert verify(root) == (0, [f"ignored  {folder}: it has no {MANIFEST}, so no run reads it"])


def test_nothing_prepared_is_fine_unless_it_is_named(verify, tmp_path):
    code, lines = verify(f"home={tmp_path}")
    assert (code, lines) == (0, [f"no prepared data in {tmp_path}/data/prepared"])
    code, lines = verify(str(tmp_path / "nowhere"))
    assert (code, lines) == (1, [f"flowerexp: command line: {tmp_path}/nowhere is not a folder; check the path"])
    code, lines = verify(str(tmp_path))
    assert (code, len(lines)) == (1, 1)
    assert "is not prepared data" in lines[0]


def test_the_root_logger_hears_nothing_of_a_missing_object(bucket):
    heard = io.StringIO()
    logging.getLogger().addHandler(logging.StreamHandler(heard))
    with pytest.raises(FileNotFoundError):
        storage.read_bytes(f"{bucket}/missing")
    assert heard.getvalue() == ""
