"""Config files that cannot be read: one line that names the file, whatever is in it."""

import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode

from flowerexp import app
from flowerexp.config import check
from flowerexp.errors import ConfigError

FILES = [
    (b"a: [1\n", "grid/mine.yaml: this is not YAML: expected ',' or ']', but got '<stream end>' in line 2"),
    (b"a:\n\tb: 1\n", "grid/mine.yaml: this is not YAML: found character '\\t' that cannot start any token in line 2"),
    (b"seed: 1\nseed: 2\n", "grid/mine.yaml: this is not YAML: found duplicate key seed in line 2"),
    (b"seed: *nope\n", "grid/mine.yaml: this is not YAML: found undefined alias 'nope' in line 1"),
    (b"seed: !!python/object:os.system x\n", "grid/mine.yaml: this is not YAML: could not determine a constructor for"),
    (b"seed: 1\n---\nseed: 2\n", "grid/mine.yaml: this is not YAML: but found another document in line 2"),
    (b"seed: caf\xe9\n", "grid/mine.yaml: this is not text in UTF-8: invalid continuation byte at byte 9"),
    (bytes(range(256)), "grid/mine.yaml: this is not text in UTF-8: "),
    (b"a: &a {b: *a}\n", "grid/mine.yaml: a part of it contains itself"),
    (b"batch_size: ${\n", "grid/mine.yaml: batch_size: no viable alternative at input '${'"),
    (b"null: 2\n", "grid/mine.yaml: Incompatible key type 'NoneType'"),
    (b"seed: !!set {a, b}\n", "grid/mine.yaml: seed: Value 'set' is not a supported primitive type"),
    (b"defaults: [1]\n", "grid/mine.yaml: Unsupported type in defaults : int"),
    (b"defaults: quick\n", "grid/mine.yaml: Invalid defaults list in 'grid/mine', defaults must be a list (got str)"),
    (b"defaults: [quik]\n", "grid/mine.yaml: there is no grid=quik"),
    (
        b"defaults: [mine]\n",
        "the defaults lists refer to each other in a circle; look at the defaults lists of your own",
    ),
    (b"defaults: [override /cluster: x]\n", "grid/mine.yaml: "),
    (b"hello\n", "config: grid.hello: unknown key grid.hello"),
    (b"- 1\n", "config: grid: grid=['1'] must be a group of keys"),
    (b"", "config: grid.reader: grid.reader has no value; add grid.reader=VALUE"),
]


def checked(folder):
    config = app.create(str(folder)).compose_config("config", ["grid=mine"], RunMode.RUN)
    return check(app.without_hydra(config), app.origin_of(config))


@pytest.mark.parametrize(("content", "said"), FILES, ids=[repr(content[:30]) for content, _ in FILES])
def test_a_file_that_cannot_be_read_is_named_in_one_line(tmp_path, content, said):
    (tmp_path / "grid").mkdir()
    (tmp_path / "grid" / "mine.yaml").write_bytes(content)
    try:
        with pytest.raises(ConfigError) as caught:
            checked(tmp_path)
    finally:
        GlobalHydra.instance().clear()
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


def test_a_byte_order_mark_is_nothing(tmp_path):
    (tmp_path / "measure").mkdir()
    (tmp_path / "measure" / "mine.yaml").write_bytes(b"\xef\xbb\xbfdefaults: [quick]\nseed: 3\n")
    try:
        config = app.create(str(tmp_path)).compose_config("config", ["measure=mine"], RunMode.RUN)
    finally:
        GlobalHydra.instance().clear()
    assert config.measure.seed == 3


def test_a_file_that_changes_is_read_anew_and_what_was_composed_stays_as_it_is(tmp_path):
    file = tmp_path / "measure" / "mine.yaml"
    file.parent.mkdir()
    composed = []
    try:
        for seed in (3, 4, 3):
            file.write_text(f"defaults: [quick]\nseed: {seed}\n")
            config = app.create(str(tmp_path)).compose_config("config", ["measure=mine"], RunMode.RUN)
            assert config.measure.seed == seed
            config.measure.seed = 9
            composed.append(config)
    finally:
        GlobalHydra.instance().clear()
    assert [config.measure.seed for config in composed] == [9, 9, 9]
