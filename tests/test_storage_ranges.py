"""A folder that is listed in ranges of names: nothing twice, nothing missing, and no range with too much."""

import bisect
import itertools
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowerexp import storage
from flowerexp.storage import Entry, Range, RangeListing, ranges, remote
from flowerexp.storage.ranges import points


def listed(root, *most):
    """How often ranges of the folder `p` were divided, how many files each gave, and all files in their order."""
    wanted, deepest, counts, files = [(0, Range("p"))], 0, [], []
    while wanted:
        depth, within = wanted.pop()
        listing = RangeListing(root, within, *most)
        found = list(listing)
        wanted += [(depth + 1, rest) for rest in reversed(listing.left)]
        deepest = max(deepest, depth)
        counts.append(len(found))
        files += found
    return deepest, counts, [entry.relative for entry in files]


@pytest.mark.parametrize("kind", ["local", "file", "memory", "gs"])
def test_ranges_have_what_the_whole_has(kind, request, tmp_path):
    root = {"local": str(tmp_path), "file": tmp_path.as_uri(), "memory": f"memory://{uuid.uuid4().hex}"}.get(kind)
    root = root or request.getfixturevalue("bucket")
    for name in ("p/1", "p/10", "p/2", "p/deep/1", "p/deep/2", "p/deep.3", "p/ä", "p/.h", "p/.hidden/1", "q/1", "p!/1"):
        storage.write_bytes(storage.join(root, name), name.encode())
    whole = [entry.relative for entry in storage.list_files(root, below="p")]
    assert len(whole) == 7
    for most in (1, 2, 5, 100):
        assert listed(root, most, most)[2] == whole
    within = Range("p", "10", "deep/")
    assert [entry.relative for entry in RangeListing(root, within, 100, 100)] == ["p/10", "p/2", "p/deep.3"]


NAMES = {
    "padded": lambda number: f"{number:08d}.jpg",
    "not padded": lambda number: f"img_{number}.jpg",
    "hexadecimal": lambda number: uuid.UUID(int=number * 2**128 // 20_000).hex,
    "folders": lambda number: f"camera-{number % 7}/{number:05d}.png",
    "two letters": lambda number: f"{'ab'[number > 100]}{number:05d}",
}


@pytest.mark.parametrize("kind", NAMES)
def test_a_large_folder_is_divided_a_few_times_until_each_range_is_small(kind, monkeypatch):
    names = sorted(map(NAMES[kind], range(20_000)))

    def bucket(root, folder, delimiter, passed, options, bounds):
        start, end = (len(names) if name is None else bisect.bisect_left(names, name) for name in bounds)
        return (Entry("", f"{folder}/{name}", 1, "") for name in names[start:end])

    monkeypatch.setattr(ranges, "list_remote", bucket)
    deepest, counts, files = listed("gs://any", 1000, 1000)
    assert files == [f"p/{name}" for name in names]
    assert max(counts) == 1000
    assert 1 <= deepest <= 5


def test_a_range_of_a_bucket_is_asked_for_as_one(bucket, storage_server, monkeypatch):
    objects = {f"p/{number:04d}": {"name": f"p/{number:04d}", "size": "1"} for number in range(3000)}
    storage_server.store.objects[bucket.removeprefix("gs://")] = objects
    asked, pages = [], remote._pages

    def seen(uri, options, delimiter, bounds):
        asked.append(bounds)
        return pages(uri, options, delimiter, bounds)

    monkeypatch.setattr(remote, "_pages", seen)
    found = list(RangeListing(bucket, Range("p", "1500", "1510"), 100, 100))
    assert [entry.relative for entry in found] == [f"p/{number}" for number in range(1500, 1510)]
    assert asked == [("1500", "1510")]
    assert storage_server.counted() == {"list": 1}
    assert list(RangeListing(bucket, Range("p", "4"), 100, 100)) == []
    assert storage_server.counted() == {"list": 1}, "an empty range is not looked for as a file"
    _, counts, files = listed(bucket, 700, 700)
    assert files == sorted(objects)
    assert max(counts) == 700


def test_a_large_folder_on_a_disk_is_divided_evenly_at_once(tmp_path):
    (tmp_path / "p").mkdir()
    for number in range(3000):
        (tmp_path / "p" / f"{number * 7919 % 3000}").touch()
    listing = RangeListing(str(tmp_path), Range("p"), 1, 500)
    assert list(listing) == []
    parts = [RangeListing(str(tmp_path), within, 1, 500) for within in listing.left]
    counts = [len(list(part)) for part in parts]
    assert [part.left for part in parts] == [[]] * len(parts)
    assert sum(counts) == 3000
    assert min(counts) > 0.5 * max(counts)


def test_no_more_names_than_wanted_are_held_of_a_folder_on_a_disk(tmp_path):
    for name in ("a/1", "a/2", "a/3", "b/1"):
        storage.write_bytes(str(tmp_path / name), b"")
    assert len(list(storage.list_files(str(tmp_path), most=3))) == 4
    with pytest.raises(storage.LargeFolderError):
        list(storage.list_files(str(tmp_path), most=2))


@given(
    st.lists(st.text(min_size=1, max_size=6), min_size=1, max_size=20),
    st.text(max_size=6),
    st.none() | st.text(min_size=1, max_size=6),
)
def test_a_range_is_divided_into_ranges_that_follow_each_other(seen, start, end):
    whole = Range("p", start, end)
    parts = whole.divided(points(seen, whole))
    assert len(parts) <= 16
    assert [part.end for part in parts[:-1]] == [part.start for part in parts[1:]]
    assert (parts[0].start, parts[-1].end) == (start, end)
    assert all(one.start < other.start for one, other in itertools.pairwise(parts))
