"""Names that users chose are text, whatever they are shown in."""

import csv
import io
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from flowerexp.escape import csv_cell, markdown, markdown_cell, markdown_prose, printable

NASTY = [
    "<script>alert(1)</script>",
    '<img src=x onerror="hit()">',
    "[click](javascript:hit())",
    "![x](http://track.example/x.png)",
    "<http://a.example>",
    "**bold** _em_ __init__ ~~gone~~",
    "`code` ``<img src=x onerror=hit()>``",
    "a|b\n|---|\n|c|",
    "&lt;img&gt; &amp;",
    "# title",
    "- item",
    "1. item",
    "\\<img src=x>",
    "back\\`<img src=x>`",
    "\\",
]
TEXT = st.text("ab<>&`*_[]()!|\\#-+=1.~ '\"/:\n", max_size=30) | st.sampled_from(NASTY)


class Shown(HTMLParser):
    """The text of a page, and its tags."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.text, self.tags = "", list[str]()
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.text += data


def rendered(text):
    return Shown(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text))


def words(text):
    return " ".join(text.split())


class TestMarkdown:
    @given(TEXT)
    def test_in_a_line_it_is_text(self, text):
        shown = rendered(f"Run {markdown(text)} .")
        assert shown.tags == ["p"]
        assert words(shown.text) == words(f"Run {text} .")

    @given(TEXT)
    def test_in_a_cell_it_is_text(self, text):
        shown = rendered(f"| a | b |\n| --- | --- |\n| {markdown_cell(text)} | x |\n")
        assert [tag for tag in shown.tags if tag not in ("table", "thead", "tbody", "tr", "th", "td")] == []
        assert shown.tags.count("td") == 2
        assert words(shown.text) == words(f"a b {text} x")

    @given(TEXT, TEXT)
    def test_in_a_paragraph_it_is_text_or_code(self, first, second):
        shown = rendered(markdown_prose(f"{first} `{second}`"))
        assert set(shown.tags) <= {"p", "code"}
        # Markdown takes a space at both ends of code away.
        letters = "".join("".join(words(shown.text)).replace("`", "").split())
        assert letters == "".join("".join(words(f"{first} {second}")).replace("`", "").split())

    def test_what_is_harmless_stays_legible(self):
        assert markdown("batch_size=16, caching=on (12 % faster)") == "batch_size=16, caching=on (12 % faster)"
        assert markdown_prose("Run `flowerexp -m a=1,2` again.") == "Run `flowerexp -m a=1,2` again."
        assert markdown_cell("-5.2") == "-5.2"


class TestCsv:
    @pytest.mark.parametrize("text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "=", "-"])
    def test_a_formula_is_text(self, text):
        assert csv_cell(text) == f"'{text}"
        buffer = io.StringIO()
        csv.writer(buffer).writerow([csv_cell(text)])
        ((read,),) = csv.reader(io.StringIO(buffer.getvalue(), newline=""))
        assert read == f"'{text}"

    @pytest.mark.parametrize("value", [-5, -0.25, None, True, "-5", "+1.5e-3", "-.5", "", "a=b", "1-2", "16"])
    def test_numbers_and_other_text_stay(self, value):
        assert csv_cell(value) == value


class TestTerminal:
    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
            ("\x1b[2J", "\\x1b[2J"),
            ("a\rb", "a\\rb"),
            ("\x9b2J", "\\x9b2J"),
            ("abc\u202egpj.exe", "abc\\u202egpj.exe"),
            ("rosé\tdaisy\n百合", "rosé\tdaisy\n百合"),
        ],
    )
    def test_control_characters_are_shown(self, text, shown):
        assert printable(text) == shown

    @given(st.text())
    def test_no_control_character_is_left(self, text):
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", printable(text))
