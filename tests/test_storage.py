"""Storage: files appear complete or not at all, locally and behind a URI; folders are listed in order."""

import errno
import os
import uuid
from pathlib import Path

import pytest

from flowerexp import storage


@pytest.fixture(params=["local", "file", "memory", "gs"])
def root(request, tmp_path):
    """An empty place: a folder, the same by its URI, fsspec's memory, or a bucket."""
    if request.param == "gs":
        return request.getfixturevalue("bucket")
    if request.param == "memory":
        return f"memory://{uuid.uuid4().hex}"
    return str(tmp_path) if request.param == "local" else tmp_path.as_uri()


def relatives(root):
    return [entry.relative for entry in storage.list_files(root)]


class TestEverywhere:
    def test_what_is_written_is_read(self, root):
        uri = storage.join(root, "a", "b.bin")
        assert not storage.exists(uri)
        storage.write_bytes(uri, b"\0content")
        assert storage.exists(uri)
        assert storage.read_bytes(uri) == b"\0content"
        with storage.open_read(uri) as file:
            assert (file.read(1), file.read()) == (b"\0", b"content")

    def test_the_new_replaces_the_old(self, root):
        uri = storage.join(root, "a")
        for content in (b"long content", b"new"):
            storage.write_bytes(uri, content)
        assert storage.read_bytes(uri) == b"new"
        assert relatives(root) == ["a"]

    def test_the_name_may_depend_on_what_was_written(self, root):
        with storage.NewFile(root) as file:
            file.stream.write(b"12345")
            file.keep(f"{file.stream.tell()}.bin")
        assert relatives(root) == ["5.bin"]

    def test_nothing_is_left_without_keep(self, root):
        storage.write_bytes(storage.join(root, "other"), b"")
        with storage.NewFile(root) as file:
            file.stream.write(b"12345")
        assert relatives(root) == ["other"]

    def test_nothing_is_left_of_a_failure_and_the_old_file_stays(self, root):
        storage.write_bytes(storage.join(root, "name"), b"old")
        with pytest.raises(ZeroDivisionError), storage.NewFile(root) as file:  # noqa: PT012  the point is the exit
            file.stream.write(b"new")
            raise ZeroDivisionError
        assert storage.read_bytes(storage.join(root, "name")) == b"old"
        assert relatives(root) == ["name"]

    def test_a_folder_itself_lists_its_folders_and_files(self, root):
        for name in ("b/1", "b!/2", "b/deep/3", "a", ".hidden/4", ".h", "c"):
            storage.write_bytes(storage.join(root, name), name.encode())
        folders, files = storage.list_folder(root)
        assert folders == ["b!", "b"]  # as a walk comes through them
        everything = {entry.relative: entry for entry in storage.list_files(root)}
        assert list(files) == [everything["a"], everything["c"]]
        assert [entry.relative for entry in storage.list_folder(storage.join(root, "b"))[1]] == ["1"]

    def test_files_are_listed_in_the_order_of_their_relative_paths(self, root):
        names = ["b/2.jpg", "a/10.jpg", "a/9.jpg", "a.txt", "b/1.jpg", "a/deep/er.jpg", "ä/1.jpg", "Z.txt"]
        for name in names:
            storage.write_bytes(storage.join(root, name), name.encode())
        entries = list(storage.list_files(root))
        assert [entry.relative for entry in entries] == sorted(names)
        for entry in entries:
            assert storage.read_bytes(entry.uri) == entry.relative.encode()
            assert entry.size == len(entry.relative.encode())

    def test_names_are_taken_as_they_are(self, root):
        names = ["a b.jpg", "a#1.jpg", "a?b=1.jpg", "[a]*.jpg", "50%.jpg"]
        for name in names:
            storage.write_bytes(storage.join(root, name), name.encode())
        assert relatives(root) == sorted(names)
        assert [storage.read_bytes(storage.join(root, name)).decode() for name in names] == names

    def test_a_file_is_no_folder(self, root):
        storage.write_bytes(storage.join(root, "file"), b"")
        with pytest.raises(NotADirectoryError):
            list(storage.list_files(storage.join(root, "file")))

    def test_many_are_read_in_order_and_what_fails_is_an_error_in_its_place(self, root):
        uris = [storage.join(root, str(number)) for number in range(40)]
        assert list(storage.write_each((uri, uri.encode()) for uri in uris)) == [len(uri) for uri in uris]
        storage.remove(uris[20])
        found = list(storage.read_each(uris))
        assert isinstance(found.pop(20), FileNotFoundError)
        assert found == [uri.encode() for uri in uris if uri != uris[20]]

    def test_a_folder_with_a_longer_name_is_another(self, root):
        for name in ("a/1", "ab/2"):
            storage.write_bytes(storage.join(root, name), b"")
        assert relatives(storage.join(root, "a")) == ["1"]

    def test_hidden_files_and_folders_are_left_out(self, root):
        for name in (".hidden", "a/.DS_Store", ".git/a.jpg", "a/.cache/b.jpg", "a/seen.jpg"):
            storage.write_bytes(storage.join(root, name), b"")
        assert relatives(root) == ["a/seen.jpg"]

    def test_a_slash_at_the_end_changes_nothing(self, root):
        storage.write_bytes(storage.join(root, "folder", "a.jpg"), b"")
        assert relatives(storage.join(root, "folder/")) == relatives(storage.join(root, "folder")) == ["a.jpg"]
        assert storage.join("folder/", "a") == "folder/a"
        assert storage.join("/", "a") == "/a"

    def test_what_is_not_there(self, root):
        nowhere = storage.join(root, "nowhere")
        storage.remove(nowhere)
        with pytest.raises(FileNotFoundError):
            list(storage.list_files(nowhere))
        with pytest.raises(FileNotFoundError):
            storage.read_bytes(nowhere)

    def test_remove(self, root):
        for name in "ab":
            storage.write_bytes(storage.join(root, name), b"")
        storage.remove(storage.join(root, "a"))
        assert relatives(root) == ["b"]


def versions(folder):
    return {entry.relative: entry.version for entry in storage.list_files(str(folder))}


class TestLocal:
    def test_a_version_changes_with_the_file(self, tmp_path):
        for name in "ab":
            (tmp_path / name).write_bytes(b"one")
            os.utime(tmp_path / name, ns=(1, 1_000_000_001))
        before = versions(tmp_path)
        os.utime(tmp_path / "a", ns=(1, 1_000_000_002))
        after = versions(tmp_path)
        assert after["a"] != before["a"]
        assert after["b"] == before["b"]

    def test_a_link_to_the_folder_itself_is_none_of_its_folders(self, tmp_path):
        (tmp_path / "a").mkdir()
        (tmp_path / "self").symlink_to(tmp_path)
        (tmp_path / "other").symlink_to(tmp_path / "a")
        assert storage.list_folder(str(tmp_path))[0] == ["a", "other"]

    def test_links_are_followed_and_dangling_ones_are_listed(self, tmp_path):
        (tmp_path / "folder").mkdir()
        (tmp_path / "folder" / "file").write_bytes(b"four")
        (tmp_path / "link").symlink_to(tmp_path / "folder")
        (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
        entries = {entry.relative: entry for entry in storage.list_files(str(tmp_path))}
        assert set(entries) == {"folder/file", "link/file", "dangling"}
        assert entries["link/file"].size == 4

    def test_a_link_to_the_folder_that_it_stands_in_is_not_followed_for_ever(self, tmp_path):
        (tmp_path / "a").mkdir()
        (tmp_path / "a" / "file").write_bytes(b"")
        (tmp_path / "a" / "again").symlink_to(tmp_path)
        assert "a/file" in relatives(str(tmp_path))

    def test_a_file_s_name_alone_means_the_current_folder(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        storage.write_bytes("name", b"content")
        assert (tmp_path / "name").read_bytes() == b"content"

    def test_a_file_of_the_root_folder_is_not_written_to_the_current_one(self, tmp_path, monkeypatch):
        folders = []

        def stop(file):
            folders.append(file.folder)
            raise ZeroDivisionError

        monkeypatch.setattr(storage.NewFile, "__enter__", stop)
        with pytest.raises(ZeroDivisionError):
            storage.write_bytes("/name", b"content")
        assert folders == ["/"]

    @pytest.mark.parametrize("failing", ["write", "flush", "fsync", "close"])
    def test_a_full_disk_leaves_nothing_and_the_old_file(self, tmp_path, monkeypatch, failing):
        storage.write_bytes(f"{tmp_path}/name", b"old")
        opened = os.fdopen

        def full(descriptor, mode="r", *others, **options):
            file = opened(descriptor, mode, *others, **options)
            if "w" not in mode:
                return file

            class Full:
                """A file on a disk without room: what is buffered fails as late as at `close`."""

                def write(self, content):
                    self.fail("write")

                def flush(self):
                    self.fail("flush")

                def fileno(self):
                    self.fail("fsync")
                    return file.fileno()

                def close(self):
                    file.close()
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

                def fail(self, step):
                    if failing == step:
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

            return Full()

        monkeypatch.setattr(os, "fdopen", full)
        with pytest.raises(OSError, match="No space left") as caught:
            storage.write_bytes(f"{tmp_path}/name", b"new")
        assert caught.value.errno == errno.ENOSPC
        assert [path.name for path in tmp_path.iterdir()] == ["name"]
        assert (tmp_path / "name").read_bytes() == b"old"

    def test_a_file_is_on_the_disk_before_its_name_and_the_name_before_the_return(self, tmp_path, monkeypatch):
        steps = []
        synced, replaced = os.fsync, Path.replace

        def sync(descriptor):
            steps.append("fsync")
            synced(descriptor)

        def replace(self, target):
            steps.append("replace")
            return replaced(self, target)

        monkeypatch.setattr(os, "fsync", sync)
        monkeypatch.setattr(Path, "replace", replace)
        storage.write_bytes(f"{tmp_path}/name", b"content")
        assert steps == ["fsync", "replace", "fsync"]
        steps.clear()
        assert list(storage.write_each([(f"{tmp_path}/many", b"content")])) == [7]
        assert steps == ["replace"], "thousands of generated photographs wait for no disk"

    def test_a_folder_that_cannot_be_made(self, tmp_path):
        (tmp_path / "file").write_bytes(b"")
        with pytest.raises(OSError, match="file"):
            storage.write_bytes(f"{tmp_path}/file/below/name", b"")


@pytest.mark.parametrize(
    ("uri", "local"),
    [
        ("/a/b", True),
        ("a", True),
        ("a:b/c", True),
        ("gs://bucket/a", False),
        ("file:///a", False),
        ("memory://a", False),
    ],
)
def test_what_has_a_scheme_is_not_local(uri, local):
    assert storage.is_local(uri) == local
