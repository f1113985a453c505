"""Every file is a photograph of a class, or it is counted as left out with a reason."""

import os
import pickle
import shutil
import stat
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from flowerexp import storage
from flowerexp.config import plain
from flowerexp.errors import DataError
from flowerexp.workload.images import decoded, listing
from flowerexp.workload.images.left_out import DEEPER, ENDINGS, LOOSE, UNREADABLE, LeftOut, shown, why_not
from flowerexp.workload.images.listing import list_photographs, listing_of
from flowerexp.workload.images.scan import Scan, is_sampled
from tests.composing import composed

ODD = [
    "a b",
    "a\nb",
    "50%",
    "#1",
    "it's",
    '"',
    "\udcff\udcfe",
    "é",
    "e\u0301",
    "🌻",
    "-x",
    "~",
    "[a]*",
    "x" * 200,
    "a\\b",
]
FOLDERS = ["daisy", "roses", "train", ".git", *ODD]
FILES = ["1.jpg", "2.JPEG", "3.png", "4.webp", "5.jfif", "6.heic", "notes.txt", "LICENSE", ".7.jpg", "jpg",
         "8.jpg.0001",          *(f"{name}.jpg" for name in ODD)]  # fmt: skip
paths = st.lists(st.sampled_from(FOLDERS), max_size=3).flatmap(
    lambda folders: st.sampled_from(FILES).map(lambda name: "/".join([*folders, name]))
)
KINDS = ["picture", "empty", "damaged", "the same picture", "nowhere", "circle", "pipe", "folder", "link to the root"]


def make(root, tree):
    """Make what a tree says; what finds its place taken is not made."""
    picture = Path(root) / "zz" / "1.jpg"
    picture.parent.mkdir()
    Image.new("RGB", (4, 4)).save(picture)
    for relative, kind in tree.items():
        path = Path(root) / relative
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if kind == "folder":
                path.mkdir()
            elif kind == "pipe":
                os.mkfifo(path)
            elif kind in ("nowhere", "circle", "link to the root"):
                path.symlink_to({"nowhere": "no/such/file", "circle": path.name, "link to the root": root}[kind])
            elif kind == "the same picture":
                shutil.copy(picture, path)
            else:
                path.write_bytes({"picture": picture.read_bytes(), "empty": b"", "damaged": b"\xff\xd8\xff"}[kind])
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            continue


def expected(root):
    """How many things are there, and which class folders: by another walk, which knows no reasons."""
    count = 0
    for folder, folders, files in os.walk(root):
        count += len(files) + sum(name.startswith(".") for name in folders)
        links = [name for name in folders if Path(folder, name).is_symlink() and not name.startswith(".")]
        count += len(links)
        folders[:] = [name for name in folders if not name.startswith(".") and name not in links]
    classes = [file.name for file in os.scandir(root) if file.is_dir(follow_symlinks=False) and file.name[0] != "."]
    return count, sorted(classes)


@pytest.fixture(scope="module")
def some_config():
    return plain(composed(["dataset=folder", "dataset.path=somewhere"]))


@given(st.dictionaries(paths, st.sampled_from(KINDS), max_size=25), st.sampled_from([1.0, 0.5]))
@settings(max_examples=150)
@pytest.mark.slow
def test_what_is_listed_and_what_is_left_out_is_what_is_there(some_config, tree, fraction):
    with tempfile.TemporaryDirectory() as root:
        make(root, tree)
        config = {**some_config, "sampling": {"fraction": fraction, "seed": 42}}
        count, classes = expected(root)
        files = [file.relative for file in storage.list_files(root, passed=lambda *_: None)]
        assume(any(is_sampled(relative, config["sampling"]) for relative in files if not why_not(relative)))
        found = listing_of(root, config)
        assert found.total + found.left_out.total == count
        assert found.classes == classes
        names = [file.relative for file in found.photographs.some(100, 0)]
        assert len(set(names)) == len(names) <= found.total
        for photograph in found.photographs.some(100, 0):
            assert found.classes[photograph.label] == photograph.relative.split("/")[0]
            assert os.path.lexists(photograph.uri)
        assert len(names) == found.total or fraction < 1
        assert found.empty == [name for name in classes if not photographs_in(Path(root, name))]
        str(found.left_out).encode()  # as it is printed
        assert "\n" not in str(found.left_out)
        for most in (1, 3, 1000):
            assert by_folders(root, config, most) == whole(root, config)


def photographs_in(folder):
    if circle(folder):
        return []
    return [file for file in folder.iterdir() if why_not(f"class/{file.name}") is None and is_photograph(file)]


def is_photograph(path):
    return path.name[0] != "." and not path.is_dir() and not stat.S_ISFIFO(path.lstat().st_mode)


def circle(path):
    return path.is_symlink()


def whole(root, config):
    """What the driver finds."""
    found = Scan(config)
    assert found.walk(root)
    return found.by_class, found.left_out, list(found.sample)


def by_folders(root, config, most):
    """What executors find that list so many files each, put together: as of a large data set."""
    loose = Scan(config)
    names, files = storage.list_folder(root, passed=loose.pass_over)
    for entry in files:
        loose.add(entry)
    counts, sample = dict.fromkeys(names, 0), []
    wanted = [storage.Range(name) for name in reversed(names)]
    while wanted:
        within = wanted.pop()
        part = listing.scan_range(root, within, most, most, config)
        wanted += reversed(part.left)
        counts[within.folder] += part.total
        loose.left_out.extend(pickle.loads(pickle.dumps(part.left_out)))
        sample += [(file.relative, file.size) for file in part.sample]
    there = whole(root, config)
    assert sample == [(file.relative, file.size) for file in there[2]]
    return counts, loose.left_out, there[2]


@given(st.sets(paths.filter(lambda path: "\n" not in path and "\udcff" not in path), max_size=20), st.booleans())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_bucket_is_answered_as_a_folder_is(storage_server, bucket, some_config, names, shown_folder):
    names = {name for name in names | {"zz/1.jpg"} if not any(other.startswith(f"{name}/") for other in names)}
    objects = storage_server.store.objects[bucket.removeprefix("gs://")] = {}
    with tempfile.TemporaryDirectory() as root:
        for name in sorted([*names, *(["empty/"] if shown_folder else [])]):
            objects[f"p/{name}"] = {"name": f"p/{name}", "size": "3", "md5Hash": "x"}
            Path(root, name).parent.mkdir(parents=True, exist_ok=True)
            if name.endswith("/"):
                Path(root, name).mkdir()
            else:
                Path(root, name).write_bytes(b"123")
        here, there = (listing_of(place, some_config) for place in (root, f"{bucket}/p"))
        assert there.left_out == here.left_out
        assert (there.classes, there.empty, there.total) == (here.classes, here.empty, here.total)
        assert [file.relative for file in there.photographs.some(100, 0)] == [
            file.relative for file in here.photographs.some(100, 0)
        ]
        for most in (1, 3, 1000):
            assert by_folders(f"{bucket}/p", some_config, most) == whole(f"{bucket}/p", some_config)


def test_folders_of_a_bucket_that_have_no_name_are_counted(storage_server, bucket, config):
    objects = storage_server.store.objects[bucket.removeprefix("gs://")] = {}
    for name in ("p//1.jpg", "p//2.jpg", "p/a//3.jpg", "p/a/4.jpg"):
        objects[name] = {"name": name, "size": "3", "md5Hash": "x"}
    made = config("dataset=folder", f"dataset.path={bucket}/p")
    found = listing_of(f"{bucket}/p", made)
    assert (found.classes, found.total) == (["a"], 1)
    assert found.left_out.counts == {storage.UNNAMED: 2}
    for most in (1, 3, 1000):
        assert by_folders(f"{bucket}/p", made, most) == whole(f"{bucket}/p", made)


class TestEndings:
    def test_are_those_of_every_format_that_is_decoded(self):
        Image.init()
        known = {ending for ending, name in Image.registered_extensions().items() if name in decoded.FORMATS}
        assert {f".{ending}" for ending in ENDINGS} == known

    @pytest.mark.parametrize(
        ("name", "reason"),
        [("a/1.jpg", None), ("a/1.JFIF", None), ("a/1.WebP", None), ("a/1.heic", ".heic files"), ("1.jpg", LOOSE),
         ("a/b/1.jpg", DEEPER), ("a/1.jpg.part", ".part files"), ("a/README", "other files"), ("a/jpg", "other files"),
         ("a/frame.0001", "other files"), ("a/b.c d", "other files"), ("b/c/1.MOV", ".mov files")],
    )  # fmt: skip
    def test_why_a_file_is_no_photograph(self, name, reason):
        assert why_not(name) == reason


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "photographs"
    for name in ("daisy/1.jpg", "daisy/2.webp", "daisy/3.heic", "daisy/.DS_Store", "train/roses/4.jpg",
                 "train/roses/5.png", "6.jpg", "LICENSE.txt", "tulips/7.jpg"):  # fmt: skip
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    (root / "roses").mkdir()
    return root


class TestTold:
    def test_what_was_left_out_is_said_with_counts_and_reasons(self, folder, config, told):
        found = list_photographs(None, config("dataset=folder", f"dataset.path={folder}"))
        assert told.notes == [
            "left out: 2 photographs deeper than CLASS/ (such as train/roses/4.jpg), "
            "1 .heic file (such as daisy/3.heic), 1 .txt file (such as LICENSE.txt), "
            "1 hidden file or folder (such as daisy/.DS_Store), "
            "1 photograph in no class folder (such as 6.jpg)",
            "2 classes have no photographs but keep their numbers: roses, train",
        ]
        assert told.facts["files_left_out"] == 6
        assert told.facts["classes_empty"] == 2
        assert found.left_out.rows[0] == {"reason": DEEPER, "count": 2, "first": "train/roses/4.jpg"}

    def test_an_empty_class_keeps_its_number(self, folder, config):
        found = list_photographs(None, config("dataset=folder", f"dataset.path={folder}"))
        assert found.classes == ["daisy", "roses", "train", "tulips"]
        assert {file.relative: file.label for file in found.photographs.some(100, 0)} == {
            "daisy/1.jpg": 0,
            "daisy/2.webp": 0,
            "tulips/7.jpg": 3,
        }

    def test_a_class_of_the_config_that_has_no_folder_is_said(self, folder, config, told):
        made = config("dataset=folder", f"dataset.path={folder}", "dataset.classes=[tulips,daisy,lilies]")
        assert list_photographs(None, made).empty == ["lilies"]
        assert told.notes[-1] == "class lilies has no photographs but keeps its number"

    def test_a_folder_one_too_high_names_the_one_that_is_meant(self, folder, config):
        for name in ("daisy", "tulips"):
            shutil.rmtree(folder / name)
        with pytest.raises(DataError, match=r"has 3 photographs but no class folders") as caught:
            list_photographs(None, config("dataset=folder", f"dataset.path={folder}"))
        assert f"dataset.path='{folder}/train'" in str(caught.value)

    def test_nothing_but_other_files_says_which(self, tmp_path, config):
        (tmp_path / "a").mkdir()
        (tmp_path / "a" / "1.heic").write_text("")
        with pytest.raises(DataError, match=r"no photographs in .* \(there are 1 \.heic file \(such as a/1\.heic\)\)"):
            list_photographs(None, config("dataset=folder", f"dataset.path={tmp_path}"))

    def test_class_names_that_look_alike_are_said(self, tmp_path, config, told):
        for name in ("café", "cafe\u0301"):
            (tmp_path / "p" / name).mkdir(parents=True)
            (tmp_path / "p" / name / "1.jpg").write_text("")
        list_photographs(None, config("dataset=folder", f"dataset.path={tmp_path}/p"))
        (note,) = told.notes
        assert note.startswith("class names that look the same but differ in their Unicode characters: ")
        assert note.endswith("'cafe\\u0301', 'caf\\xe9'")

    def test_many_kinds_are_summed_up(self):
        left_out = LeftOut()
        for number, ending in enumerate("abcdefghijk"):
            for place in range(20 - number):
                left_out.add(f"a/{place}.{ending}", f".{ending} files")
        assert str(left_out).startswith("20 .a files (such as a/0.a), 19 .b files")
        assert str(left_out).endswith(", 33 of 3 more kinds")
        assert len(left_out.rows) == 11


class TestUnreadable:
    @pytest.fixture
    def made(self, folder, monkeypatch):
        """A class folder that the operating system does not open; root may open any, so that it is made up."""
        scandir = os.scandir

        def refused(path):
            if str(path).endswith("/daisy"):
                raise PermissionError(13, "Permission denied", path)
            return scandir(path)

        monkeypatch.setattr(os, "scandir", refused)
        return folder

    def test_a_folder_that_cannot_be_read_fails_and_is_named(self, made, config):
        with pytest.raises(
            DataError, match=r"^dataset\.path: .*photographs/daisy/ cannot be read: Permission"
        ) as caught:
            list_photographs(None, config("dataset=folder", f"dataset.path={made}"))
        assert "dataset.on_error=skip" in str(caught.value)

    def test_or_it_is_left_out_counted_and_keeps_its_number(self, made, config, told):
        given = config("dataset=folder", f"dataset.path={made}", "dataset.on_error=skip")
        found = list_photographs(None, given)
        assert {file.relative: file.label for file in found.photographs.some(100, 0)} == {"tulips/7.jpg": 3}
        assert found.empty == ["daisy", "roses", "train"]
        assert found.left_out.counts[UNREADABLE] == 1
        assert "1 folder that cannot be read (such as daisy/)" in told.notes[0]
        for most in (1, 3, 1000):
            assert by_folders(str(made), given, most) == whole(str(made), given)


def test_a_link_to_a_folder_above_is_not_followed_to_all_that_is_there(tmp_path, config):
    (tmp_path / "beside").mkdir()
    (tmp_path / "beside" / "1.jpg").write_text("")
    (tmp_path / "p" / "a").mkdir(parents=True)
    (tmp_path / "p" / "a" / "1.jpg").write_text("")
    for name, target in (("up", tmp_path), ("root", "/"), ("self", "..")):
        (tmp_path / "p" / "a" / name).symlink_to(target)
    (tmp_path / "p" / "up").symlink_to(tmp_path)
    found = listing_of(f"{tmp_path}/p", config("dataset=folder", f"dataset.path={tmp_path}/p"))
    assert found.left_out.counts == {storage.LOOP: 4}
    assert found.classes == ["a"]


@pytest.mark.parametrize(
    ("name", "said"),
    [("daisy/1.jpg", "daisy/1.jpg"), ("a\nb\tc", "a\\nb\\tc"), ("\udcff.jpg", "\\xff.jpg"), ("é 🌻 '", "é 🌻 '"),
     ("a\u202eb", "a\\u202eb"), ("\x1b[31m", "\\x1b[31m")],
)  # fmt: skip
def test_names_are_shown_in_one_line(name, said):
    assert shown(name) == said
    said.encode()
