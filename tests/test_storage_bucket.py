"""Storage in a bucket: its requests, its errors, and several processes and threads at once."""

import errno
import json
import os
import subprocess
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor

import pytest

from flowerexp import storage
from flowerexp.storage import remote

BLOCK = remote.BLOCK


class TestRequests:
    def test_each_operation_asks_no_more_than_it_must(self, bucket, storage_server):
        uri = f"{bucket}/folder/a.bin"
        storage.write_bytes(uri, b"content")
        assert storage_server.counted() == {"write": 1}
        storage.read_bytes(uri)
        assert storage_server.counted() == {"read": 1}
        list(storage.list_files(bucket))
        assert storage_server.counted() == {"list": 1}
        storage.remove(uri)
        assert storage_server.counted() == {"DELETE": 1}
        with storage.NewFile(f"{bucket}/folder") as file:
            file.stream.write(b"content")
            file.keep("b.bin")
        assert storage_server.counted() == {"write": 1}

    @pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1])
    def test_a_stream_is_read_in_blocks_and_nothing_is_asked_before(self, bucket, storage_server, size):
        content = bytes(number % 251 for number in range(size))
        storage.write_bytes(f"{bucket}/a", content)
        storage_server.counted()
        with storage.open_read(f"{bucket}/a") as file:
            assert b"".join(iter(lambda: file.read(100_000), b"")) == content
        assert storage_server.counted() == {"read": size // BLOCK + 1}

    def test_a_stream_reads_no_further_than_it_is_asked_to(self, bucket, storage_server):
        storage.write_bytes(f"{bucket}/a", bytes(3 * BLOCK))
        storage_server.counted()
        with storage.open_read(f"{bucket}/a") as file:
            file.read(BLOCK - 1)
        assert storage_server.counted() == {"read": 1}

    def test_a_stream_can_be_sought_in(self, bucket):
        storage.write_bytes(f"{bucket}/a", bytes(range(256)))
        with storage.open_read(f"{bucket}/a") as file:
            assert file.seek(0, os.SEEK_END) == 256
            assert file.seek(10) == 10
            assert file.read(2) == bytes([10, 11])
            assert file.seek(-1, os.SEEK_CUR) == 11
            assert file.read(1) == bytes([11])

    def test_ten_thousand_objects_come_page_by_page_and_in_order(self, bucket, storage_server):
        name = bucket.removeprefix("gs://")
        for number in range(10_000):
            path = f"{number * 7919 % 10_000:05d}"
            storage_server.store.objects.setdefault(name, {})[path] = {
                "name": path, "size": str(number), "md5Hash": path,
            }  # fmt: skip
        found = list(storage.list_files(bucket))
        assert [entry.relative for entry in found] == [f"{number:05d}" for number in range(10_000)]
        assert found[7919].size == 1
        assert storage_server.counted() == {"list": 10}

    def test_a_list_of_objects_is_not_held_but_asked_for_page_by_page(self, bucket, storage_server):
        objects = storage_server.store.objects.setdefault(bucket.removeprefix("gs://"), {})
        objects |= {f"{number:04d}": {"name": f"{number:04d}", "size": "1"} for number in range(3000)}
        found = storage.list_files(bucket)
        assert [next(found).relative for _ in range(1000)][-1] == "0999"
        assert storage_server.counted() == {"list": 1}

    def test_what_stands_in_a_folder_s_folders_is_not_asked_for(self, bucket, storage_server):
        objects = storage_server.store.objects.setdefault(bucket.removeprefix("gs://"), {})
        objects |= {f"a/b/{number:04d}": {"name": f"a/b/{number:04d}", "size": "1"} for number in range(3000)}
        assert storage.list_folder(f"{bucket}/a")[0] == ["b"]
        assert list(storage.list_folder(f"{bucket}/a")[1]) == []
        assert storage_server.counted() == {"list": 3}


class TestFreshness:
    def test_what_another_process_wrote_or_removed_is_seen_at_once(self, bucket, storage_server):
        """The other process is one that does not share our file system object, nor what that remembers."""
        import gcsfs

        other = gcsfs.GCSFileSystem(token="anon", skip_instance_cache=True)
        storage.write_bytes(f"{bucket}/folder/a", b"1")
        assert [entry.relative for entry in storage.list_files(bucket)] == ["folder/a"]
        assert not storage.exists(f"{bucket}/folder/b")
        other.pipe_file(f"{bucket}/folder/b", b"22")
        assert storage.exists(f"{bucket}/folder/b")
        assert [entry.relative for entry in storage.list_files(bucket)] == ["folder/a", "folder/b"]
        other.rm_file(f"{bucket}/folder/a")
        assert not storage.exists(f"{bucket}/folder/a")
        other.pipe_file(f"{bucket}/folder/b", b"333")
        assert [entry.size for entry in storage.list_files(bucket)] == [3]

    def test_a_version_follows_the_content(self, bucket):
        def version():
            return next(iter(storage.list_files(bucket))).version

        versions = []
        for content in (b"one", b"two", b"one"):
            storage.write_bytes(f"{bucket}/a", content)
            versions.append(version())
        assert versions[0] == versions[2] != versions[1]

    @pytest.mark.parametrize(
        ("known", "version"),
        [
            ({"md5Hash": "m", "crc32c": "c", "generation": "g"}, "m"),
            ({"crc32c": "c", "generation": "g", "etag": "e"}, "c"),  # an object composed of others has no MD5
            ({"generation": "g", "etag": "e"}, "g"),
        ],
    )
    def test_a_version_is_the_content_s_hash_where_there_is_one(self, bucket, storage_server, known, version):
        storage_server.store.objects[bucket.removeprefix("gs://")] = {"a": {"name": "a", "size": "1", **known}}
        assert [entry.version for entry in storage.list_files(bucket)] == [version]

    def test_empty_objects_that_stand_for_folders_are_no_files(self, bucket):
        for name in ("folder/", "folder/inner/", "folder/a"):
            storage.write_bytes(f"{bucket}/{name}x", b"")
        import gcsfs

        gcsfs.GCSFileSystem(token="anon").pipe_file(f"{bucket}/folder/inner/", b"")
        assert "folder/inner" not in [entry.relative for entry in storage.list_files(bucket)]
        assert "inner" not in [entry.relative for entry in storage.list_files(f"{bucket}/folder")]


class TestWhole:
    @pytest.mark.parametrize("size", [10, 6 << 20])  # gcsfs sends 5 MiB and more in pieces
    def test_an_upload_that_breaks_off_leaves_the_old_object(self, bucket, storage_server, size):
        storage.write_bytes(f"{bucket}/name", b"old")
        storage_server.faults = [("upload_id" if size > 10 else "POST", 400, "broken off")]
        with pytest.raises(OSError, match="broken off"), storage.NewFile(bucket) as file:  # noqa: PT012
            file.stream.write(bytes(size))
            file.keep("name")
        assert storage_server.faults == []
        assert storage.read_bytes(f"{bucket}/name") == b"old"

    @pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n", b"\r\r", b"\0"])
    def test_the_last_bytes_are_kept_whatever_they_are(self, bucket, end):
        storage.write_bytes(f"{bucket}/a", b"x" + end)
        with storage.NewFile(bucket) as file:
            file.stream.write(b"x" + end)
            file.keep("b")
        assert storage.read_bytes(f"{bucket}/a") == storage.read_bytes(f"{bucket}/b") == b"x" + end

    def test_a_bucket_is_never_made_by_writing(self, bucket, storage_server):
        with pytest.raises(FileNotFoundError):
            storage.write_bytes("gs://no-such-bucket/folder/a", b"")
        with pytest.raises(FileNotFoundError), storage.NewFile("gs://no-such-bucket") as file:
            file.keep("a")
        assert "no-such-bucket" not in storage_server.store.buckets


OPERATIONS = {
    "read": lambda uri: storage.read_bytes(uri),
    "open": lambda uri: storage.open_read(uri),
    "write": lambda uri: storage.write_bytes(uri, b""),
    "exists": lambda uri: storage.exists(uri),
    "remove": lambda uri: storage.remove(uri),
    "list": lambda uri: list(storage.list_files(uri)),
}
# Google's own words: https://cloud.google.com/storage/docs/json_api/v1/status-codes
ANONYMOUS = "Anonymous caller does not have storage.objects.get access to the Google Cloud Storage object."
FORBIDDEN = "jane.doe@example.com does not have storage.objects.get access to the Google Cloud Storage object."


class TestErrors:
    @pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
    @pytest.mark.parametrize(
        ("status", "message", "kind", "words"),
        [
            (401, ANONYMOUS, PermissionError, "Anonymous caller"),
            (403, FORBIDDEN, PermissionError, "does not have storage.objects.get access"),
            (400, "The bucket is in another universe", OSError, "another universe"),
            (400, "An invalid argument", OSError, "An invalid argument"),  # which gcsfs makes a ValueError
        ],
    )
    def test_a_refusal_is_an_error_with_a_number_and_the_uri_and_without_an_account(
        self, bucket, storage_server, operation, status, message, kind, words
    ):
        storage_server.faults = [("", status, message)] * 4  # gcsfs asks in more than one way
        with pytest.raises(kind, match=words) as caught:
            operation(f"{bucket}/a")
        assert caught.value.errno in (errno.EACCES, errno.EIO)
        assert caught.value.filename == f"{bucket}/a"
        assert "jane" not in "".join(traceback.format_exception(caught.value))

    def test_no_bucket(self, bucket):
        for name in ("read", "open", "write", "list"):
            with pytest.raises(FileNotFoundError, match="no-such-bucket/a"):
                OPERATIONS[name]("gs://no-such-bucket/a")
        assert not storage.exists("gs://no-such-bucket/a")

    def test_no_credentials(self, monkeypatch):
        monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/no/such/file")
        with pytest.raises(PermissionError, match=r"no credentials .*gcloud auth application-default login"):
            storage.read_bytes("gs://bucket/a")

    def test_none_are_looked_for_where_none_are_needed(self, bucket, monkeypatch):
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/no/such/file")
        storage.write_bytes(f"{bucket}/a", b"1")
        monkeypatch.setenv("GCSFS_DEFAULT_PROJECT", "another")
        assert storage.read_bytes(f"{bucket}/a", token="anon") == b"1"
        filesystem, _ = remote.locate("gs://public/a", {"token": "anon"})
        assert filesystem.credentials.credentials is None

    def test_nothing_is_logged(self, bucket, storage_server, caplog):
        storage_server.faults = [("GET", 403, FORBIDDEN)]
        with pytest.raises(PermissionError):
            storage.read_bytes(f"{bucket}/a")
        # The emulator shares our process, and speaks up once another test has set the root logger to INFO.
        assert [record for record in caplog.records if not record.name.startswith("gcp_storage_emulator")] == []

    def test_a_mistake_of_ours_stays_one(self, bucket):
        with pytest.raises(TypeError), remote.os_errors(bucket):
            raise TypeError


class TestTransient:
    @pytest.fixture(autouse=True)
    def at_once(self, monkeypatch):
        """gcsfs waits before it tries again, for a second and then longer."""

        async def sleep(seconds):
            self.slept = True

        monkeypatch.setattr("gcsfs.retry.asyncio.sleep", sleep)

    @pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
    @pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
    def test_is_tried_again(self, bucket, storage_server, operation, status):
        storage.write_bytes(f"{bucket}/folder/a", b"")
        storage_server.faults = [("", status, "later")]
        operation(f"{bucket}/folder" if operation is OPERATIONS["list"] else f"{bucket}/folder/a")
        assert storage_server.faults == []

    def test_what_lasts_is_an_error_that_says_so(self, bucket, storage_server):
        storage_server.faults = [("GET", 503, "Backend is down")] * 10
        with pytest.raises(OSError, match="Backend is down") as caught:
            storage.read_bytes(f"{bucket}/a")
        assert caught.value.errno == errno.EIO
        assert len(storage_server.faults) == 4

    def test_a_removal_that_was_done_before_its_answer_was_lost(self, bucket, storage_server):
        storage_server.faults = [("DELETE", 503, "")]
        storage.remove(f"{bucket}/gone")
        assert storage_server.faults == []

    def test_nobody_is_there(self, monkeypatch):
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9")
        with pytest.raises(ConnectionError, match="cannot be reached"):
            storage.read_bytes("gs://bucket/a")


class TestTogether:
    def test_threads_share_one_connection_to_the_bucket(self, bucket):
        uris = [f"{bucket}/{number}" for number in range(64)]
        barrier = threading.Barrier(8)

        def both(uri):
            if uri in uris[:8]:
                barrier.wait()
            storage.write_bytes(uri, uri.encode())
            return storage.read_bytes(uri)

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(both, uris)) == [uri.encode() for uri in uris]

    def test_requests_of_many_small_objects_overlap(self, bucket, storage_server, monkeypatch):
        uris = [f"{bucket}/{number}" for number in range(20)]
        list(storage.write_each((uri, b"") for uri in uris))
        meeting = threading.Barrier(10)
        answer = storage_server.fault

        def together(method, path):
            meeting.wait(60)  # none is answered before ten have come
            return answer(method, path)

        monkeypatch.setattr(storage_server, "fault", together)
        assert list(storage.read_each(uris)) == [b""] * 20

    def test_a_process_that_was_forked_after_reading_reads_too(self, bucket):
        """As pyspark's daemon forks its workers: an event loop of the parent would never answer in the child."""
        program = """
import json, os, sys
from flowerexp import storage
uri = sys.argv[1]
storage.write_bytes(uri, b"content")
read = [storage.read_bytes(uri).decode()]
children = []
for number in range(2):
    out, into = os.pipe()
    if not (child := os.fork()):
        storage.write_bytes(f"{uri}{number}", b"of a child")
        os.write(into, storage.read_bytes(uri) + storage.read_bytes(f"{uri}{number}"))
        os._exit(0)
    os.close(into)
    children.append((child, out))
read.append(storage.read_bytes(uri).decode())
for child, out in children:
    read.append(os.read(out, 100).decode())
    os.waitpid(child, 0)
print(json.dumps(read))
"""
        answer = subprocess.run(
            [sys.executable, "-c", program, f"{bucket}/a"], capture_output=True, text=True, timeout=120, check=False
        )
        assert answer.returncode == 0, answer.stderr
        assert json.loads(answer.stdout) == ["content", "content", "contentof a child", "contentof a child"]


def test_other_schemes_and_local_paths_import_no_gcsfs(tmp_path):
    program = f"""
import sys
from flowerexp import storage
storage.write_bytes("{tmp_path}/a", b"")
list(storage.list_files("{tmp_path}"))
print([name for name in ("fsspec", "gcsfs", "google") if name in sys.modules])
"""
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
