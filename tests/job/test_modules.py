"""Which modules of a user's own are shipped with a script, and which are missed before anything starts."""

import zipfile

import pytest

from flowerexp.errors import ConfigError
from flowerexp.job.bundle import Bundle
from flowerexp.job.modules import modules_beside, refuse_missing

FILES = {
    "script.py": "import json, near\nfrom package.deep import x\nimport pyspark\ndef f():\n    import late\n",
    "near.py": "import further\nimport script\n",
    "further.py": "",
    "late.py": "",
    "json.py": "raise SystemExit\n",
    "unused.py": "",
    "package/__init__.py": "",
    "package/deep.py": "from . import beside\nimport numpy\n",
    "package/beside.py": "",
    "package/data.txt": "",
}


@pytest.fixture
def script(tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path / "script.py"


def names(paths, folder):
    return [path.relative_to(folder).as_posix() for path in paths]


def test_what_the_script_imports_from_beside_it_is_found_and_nothing_else(script):
    assert names(modules_beside(script), script.parent) == [
        "further.py", "late.py", "near.py", "package/__init__.py", "package/beside.py", "package/deep.py",
    ]  # fmt: skip


def test_they_stand_at_the_top_of_the_zip_and_in_the_hash(script, tmp_path):
    before = Bundle(script)
    inside = zipfile.ZipFile(before.write(tmp_path / "job")).namelist()
    assert {"near.py", "package/deep.py", "flowerexp/workload/__init__.py"} <= {*inside}
    assert not {"script.py", "json.py", "unused.py"} & {*inside}
    (tmp_path / "unused.py").write_text("changed = True\n")
    assert Bundle(script).code_hash == before.code_hash
    (tmp_path / "further.py").write_text("changed = True\n")
    assert Bundle(script).code_hash != before.code_hash


def test_all_that_is_imported_is_here(script):
    refuse_missing(script)


@pytest.mark.parametrize("name", ["script.py", "further.py", "package/deep.py"])
def test_a_missing_module_is_named_with_what_to_do(script, tmp_path, name):
    (tmp_path / name).write_text(f"import no_such_thing\n{FILES[name]}")
    said = (
        f"line 1 of {tmp_path / name}: {name.rpartition('/')[2]} imports no_such_thing, which is neither beside "
        "script.py nor installed; put no_such_thing.py beside it, or run: pip install no_such_thing"
    )
    with pytest.raises(ConfigError) as refusal:
        refuse_missing(script)
    assert str(refusal.value) == said


def test_an_import_that_may_fail_is_left_alone(script):
    script.write_text("try:\n    import no_such_thing\nexcept ImportError:\n    pass\ndef f():\n    import nor_this\n")
    refuse_missing(script)


def test_a_module_in_the_current_folder_is_not_on_a_jobs_path(script, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "only_here.py").write_text("")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.syspath_prepend(tmp_path / "here")
    script.write_text("import only_here\n")
    with pytest.raises(ConfigError, match="imports only_here"):
        refuse_missing(script)


def test_a_script_that_is_not_python_is_named_with_its_line(script):
    script.write_text("import json\ndef measure(:\n")
    with pytest.raises(ConfigError, match=r"line 2 of .*script.py: script.py is not Python: invalid syntax"):
        modules_beside(script)
