"""The map shows words where the file says, labels that do not cover each other, and nothing where there is no file."""

import html
import json
import re

import pytest

from lmlab.report import word_map as module
from lmlab.report.html import page
from lmlab.report.word_map import word_map

EVIL = "<b>\"'&"


@pytest.fixture
def write(tmp_path):
    """Write the file of a map, with some parts changed or (None) left out."""

    def written(**changes):
        content = {
            "words": ["the", EVIL, "苹果"],
            "counts": [12345, 7, 5],
            "explained": [0.25, 0.125],
            "pca": [[0.0, 0.0], [4.0, 1.0], [2.0, 2.0]],
            "tsne": [[-9.0, 3.0], [9.0, 3.0], [0.0, -3.0]],
        }
        kept = {key: value for key, value in (content | changes).items() if value is not None}
        (tmp_path / "word_map.json").write_text(json.dumps(kept), encoding="utf-8")
        return tmp_path

    return written


def marks(text):
    return [json.loads(html.unescape(found)) for found in re.findall(r'data-dots="([^"]*)"', text)]


def test_both_maps_are_there_behind_a_switch_the_first_is_shown(write, tags):
    text = word_map(write())
    parsed = tags(text)
    assert parsed.open == []
    assert parsed.tags.count("input") == 2
    assert text.count(" checked") == 1
    assert "t-SNE" in text
    assert "38%" in text  # of the variance
    assert parsed.text.count("苹果") == 2
    assert EVIL in parsed.text


def test_dots_stand_where_the_file_says(write):
    _, plane = marks(word_map(write()))
    assert plane[0] == [pytest.approx(0.06), pytest.approx(0.06), "the", "12,345 times in the training text"]
    assert plane[1][:3] == [pytest.approx(0.94), pytest.approx(0.5), EVIL]
    assert plane[2][:3] == [pytest.approx(0.5), pytest.approx(0.94), "苹果"]


def test_a_map_of_one_method_has_that_alone(write):
    text = word_map(write(tsne=None))
    assert 'id="map-pca" checked' in text
    assert "t-SNE" not in text


@pytest.mark.parametrize(
    "changes", [{"words": None}, {"pca": [[0.0, float("nan")]] * 3}, {"tsne": [1, 2, 3]}, {"explained": None}]
)
def test_a_damaged_file_is_said(write, changes):
    assert "word_map.json of this run cannot be read" in word_map(write(**changes))


@pytest.mark.parametrize("content", ["", "[1]", "null", '{"words'])
def test_a_file_that_is_no_map_is_said(tmp_path, content):
    (tmp_path / "word_map.json").write_text(content)
    assert "cannot be read" in word_map(tmp_path)


def test_a_run_without_a_map_shows_nothing_of_it(make_run):
    assert word_map(make_run().path) == ""
    assert "map" not in page(make_run()).split("<body>")[1].split("<script>")[0]


def test_of_labels_that_would_cover_each_other_the_more_frequent_word_has_its_own():
    labelled = module._labelled([(0.5, 0.5), (0.501, 0.5), (0.2, 0.5)], ["the", "of", "苹果"], module.WIDE)
    assert labelled == {0, 1, 2}  # the second stands on the other side of its dot
    assert module._labelled([(0.2, 0.5), (0.2, 0.501)], ["the", "of"], module.WIDE) == {0}


@pytest.mark.parametrize("width", [1200, 360])
def test_labels_in_the_browser_cover_no_other(write, title_of, width, make_run):
    numbers = range(150)
    places = [[(7 * number) % 31, (11 * number) % 29] for number in numbers]
    words = [("词" * (1 + number % 4) if number % 3 else "longer" * (1 + number % 2)) for number in numbers]
    write(words=words, counts=list(numbers), tsne=places, pca=places)
    measure = (
        "const labels = [...frame.contentDocument.querySelectorAll('.tsne .words b')]"
        ".map((one) => one.getBoundingClientRect()).filter((box) => box.width);"
        "let covered = 0;"
        "labels.forEach((a, i) => labels.slice(i + 1).forEach((b) => {"
        "  covered += a.left + 2 < b.right && b.left + 2 < a.right && a.top + 2 < b.bottom && b.top + 2 < a.bottom; }));"
        "const root = frame.contentDocument.documentElement;"
        "document.title = [labels.length, covered, root.scrollWidth <= frame.contentWindow.innerWidth].join(' ')"
    )
    text = page(make_run())
    frame = f'<iframe id="frame" style="width:{width}px;height:900px;border:0" srcdoc="{html.escape(text)}"></iframe>'
    number, covered, fits = title_of(f"<title></title>{frame}<script>onload = () => {{{measure}}}</script>").split()
    assert int(number) > (60 if width > 500 else 15)
    assert int(covered) <= 0.02 * int(number)
    assert fits == "true"
