import ast

from markdown_it import MarkdownIt

from fdd.reporting.templating import Markdown, escape, literal

HOSTILE = "a|b *c* `d` <script> [x](http://e) ![y](z) www.f.g $h$ ~~i~~ &lt; @j {{ 1 + 1 }}\n\n# k \u202e\x1b"


def test_escaped_text_is_shown_as_it_stands_on_one_line() -> None:
    page = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    shown = page.render(f"| {escape(HOSTILE)} |\n|---|\n")
    assert shown.count("<th") == 2  # the row's own, and the cell's
    for text in ("a|b *c* `d` &lt;script&gt; [x](http://e)", "~~i~~ &amp;lt; @j {{ 1 + 1 }} # k"):
        assert text in shown
    assert "<a" not in shown


def test_markdown_of_ours_is_left_as_it_is() -> None:
    assert escape(Markdown("`a` | **b**")) == "`a` | **b**"


def test_a_literal_is_one_line_of_python_that_gives_the_text_back() -> None:
    for text in (HOSTILE, 'say "hi"', "plain\ntwo lines", "```\n'\\"):
        written = literal(text)
        assert len(written.splitlines()) == 1
        assert ast.literal_eval(written) == text
