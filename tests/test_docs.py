"""The pages are true where that is cheap to test: links, commands, config groups, keys and experiments."""

from __future__ import annotations

import re
import shlex
from functools import cache
from pathlib import Path

import pytest

from flowerexp import app, cli
from flowerexp.cluster_search import walk_of_sweeper
from flowerexp.commands import help as help_page
from flowerexp.config import plain
from flowerexp.config.places import config_folder, group_options
from flowerexp.errors import FlowerexpError
from flowerexp.sweep.forecast import forecast
from tests import own_page

ROOT = Path(__file__).parents[1]
README, DOCS = ROOT / "README.md", ROOT / "docs"
PAGES = [README, ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
OF_NOW = [page for page in PAGES if page.name not in ("CHANGELOG.md", "report.md")]
"""The pages whose commands and keys must work today; the others also speak of earlier runs and versions."""
OWN = own_page.PAGE

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$|((?:^(?: {4}[^\n]*)?\n)+)", re.MULTILINE | re.DOTALL)
_PLACEHOLDER = re.compile(r"^[A-Z_]+$|^\.\.\.$|^\[")


def of_root(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> list[str]:
    """The blocks of code of a page: those in backticks, and those that are indented; continued lines are joined."""
    found = [fenced or indented for _, fenced, indented in _BLOCK.findall(page.read_text(encoding="utf-8"))]
    return [block.replace("\\\n", " ") for block in found]


def spans(page: Path) -> list[str]:
    """The code within the text of a page."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S))


def commands(page: Path) -> list[tuple[str, str]]:
    """The command lines of a page, and the line of output that follows each."""
    lines = [line.strip() for block in blocks(page) for line in [*block.splitlines(), ""]]
    shown = [(line, after) for line, after in zip(lines, [*lines[1:], ""], strict=True)]
    shown += [(span, "") for span in spans(page)]
    return [
        (line.removeprefix("$ "), after)
        for line, after in shown
        if re.match(r"(\$ )?flowerexp( [^ ]|$)", line)  # not a table that begins with the name
    ]


COMMANDS = sorted({(of_root(page), line, after) for page in OF_NOW for line, after in commands(page)})


@pytest.fixture
def own_experiment(tmp_path, monkeypatch):
    """The current folder holds the experiment that the page about it describes."""
    for name, content in own_page.files().items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLOWEREXP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "my-project")


def test_the_readme_is_short():
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 150


def test_the_readmes_result_is_that_of_the_example():
    section = README.read_text(encoding="utf-8").partition("[Its report]")[2].partition("\n## ")[0]
    report = (DOCS / "example" / "report.md").read_text(encoding="utf-8")
    figures = re.findall(r"\d+\.\d+|\d,\d{3}|\d{3}|\d+ \w+ 20\d\d", section)
    assert len(figures) > 8
    assert [figure for figure in figures if figure not in report] == []


def slug(heading: str) -> str:
    """The anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=of_root)
def test_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r"^\[[^\]]+\]: (\S+)$", text, re.MULTILINE):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        aim = (page.parent / path).resolve() if path else page
        assert aim.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", aim.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in map(slug, headings), target


def test_the_index_has_every_page():
    index = (DOCS / "README.md").read_text(encoding="utf-8")
    missing = [page.name for page in DOCS.glob("*.md") if page.name != "README.md" and f"]({page.name})" not in index]
    assert not missing


@pytest.mark.parametrize(("page", "line", "after"), COMMANDS)
@pytest.mark.usefixtures("own_experiment")
@pytest.mark.slow
def test_commands_work(page, line, after, capsys):
    words = [word for word in shlex.split(line, comments=True)[1:] if not _PLACEHOLDER.match(word)]
    if words and words[0] in cli.COMMANDS and words[0] != "plan":
        with pytest.raises(SystemExit):
            cli.main([words[0], "--help"])
        known = capsys.readouterr().out
        known += "--config-dir"  # of every command
        assert all(word.partition("=")[0] in known for word in words[1:] if word.startswith("--"))
        return
    words = words[words[:1] == ["plan"] :]
    if "-sc" in words or "--cfg" in words or {"--help", "--version"} & {*words}:
        return
    overrides = [word for word in words if not word.startswith("-")]
    assert {*words} - {*overrides} <= {"-m", "--json", "--detach"}
    if after.startswith("flowerexp: "):
        with pytest.raises(FlowerexpError) as refusal:
            app.composed(overrides)
        assert after == f"flowerexp: {refusal.value}"
        return
    if "hydra/sweeper=optuna" in overrides:  # which chooses its runs while they are made, so that there is no plan
        single = [line for line in overrides if "," not in line and not line.startswith("hydra")]
        assert app.composed(single).objective
        return
    assert forecast(overrides, "-m" in words, walk_of_sweeper).items


def rows(page: Path, heading: str) -> list[list[str]]:
    """The rows of the table with this heading of its first column."""
    table = re.search(rf"^\| {heading} \|.*\n\| --- .*\n((?:\|.*\n)+)", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert table
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in table[1].splitlines()]


@pytest.mark.parametrize(("heading", "group"), [("experiment", "entrypoint"), ("sweep", "experiment")])
def test_the_readme_has_the_shipped_experiments_and_what_they_ask(heading, group):
    folder = config_folder()
    asked = {
        "entrypoint": lambda path: help_page._question(path),
        "experiment": lambda path: help_page._first_sentence(path),
    }[group]
    shipped = [[f"`{name}`", asked(folder / group / f"{name}.yaml")] for name in group_options()[group]]
    assert rows(README, heading) == shipped


def test_all_groups_and_options_are_described_and_no_others():
    described = {group.strip("`"): {*re.findall(r"`(\w+)`", options)} for group, options, *_ in groups_table()}
    assert described == {group: {*options} for group, options in group_options().items()}


def groups_table() -> list[list[str]]:
    return rows(DOCS / "configuration.md", "group")


def test_the_default_comes_first():
    defaults = help_page._defaults(config_folder())
    for group, options, *_ in groups_table():
        first = options.split(",")[0].strip(" `")
        assert first == {"null": "none"}.get(default := defaults[group.strip(" `")], default)


@cache
def known_keys() -> frozenset[str]:
    """All keys, with dots, that some config has; and their beginnings."""
    keys: set[str] = set()
    for group in ("cluster", "dataset", "entrypoint"):
        for option in group_options()[group]:
            needed = {"folder": ["dataset.path=x"], "spark_master": ["cluster.master=yarn"]}.get(option, [])
            keys |= of_config(plain(app.composed([f"{group}={option}", "gcp.project=my-project", *needed])))
    return frozenset(keys)


def of_config(node: object, prefix: str = "") -> set[str]:
    if not isinstance(node, dict) or prefix.startswith(("entrypoint.parameters", "sweep.axes")):
        return set()
    below = [{f"{prefix}{key}"} | of_config(value, f"{prefix}{key}.") for key, value in node.items()]
    return set[str]().union(*below)


@pytest.mark.parametrize("page", OF_NOW, ids=of_root)
@pytest.mark.slow
def test_keys_and_options_exist(page):
    groups, tops = group_options(), {key for key in known_keys() if "." not in key}
    wrong = []
    for span in spans(page):
        for word in span.split():
            key, equals, value = word.partition("=")
            if key in groups and equals and re.fullmatch(r"[a-z_,]+", value):
                wrong += [word for option in value.split(",") if option not in groups[key] and page != OWN]
            elif re.fullmatch(r"[a-z_]+(\.[a-z_]+)+", key) and key.split(".")[0] in tops and page != OWN:
                wrong += [word] if key not in known_keys() else []
    assert not wrong
