"""Pictures as files and inside a page."""

import re
import struct
from pathlib import Path
from xml.etree import ElementTree

import pytest

from fdd.reporting.findings import skills
from fdd.reporting.pictures import DOTS_PER_INCH, PAGE_COLOURS, Picture, inline, save
from fdd.reporting.report import read_report
from tests.reporting.runs import HOSTILE, full_run, new_run

NAMES = {"accuracy", "growth", "yield", "solve-rates", "bands"}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Picture]:
    return read_report(full_run(tmp_path_factory.mktemp("runs") / "full")).pictures


def test_a_run_with_everything_has_every_picture(pictures: dict[str, Picture]) -> None:
    assert pictures.keys() == NAMES


def test_a_run_that_has_just_begun_has_none(tmp_path: Path) -> None:
    assert read_report(new_run(tmp_path / "new")).pictures == {}


def test_a_file_for_a_paper_has_its_text_as_text_and_its_colours_fixed(pictures: dict[str, Picture]) -> None:
    drawn = save(pictures["growth"], "svg")
    root = ElementTree.fromstring(drawn)
    texts = {"".join(each.itertext()) for each in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"seed", "similar", "harder", "round"} <= texts
    assert b"var(--" not in drawn


def test_a_png_has_the_resolution_that_journals_ask_for(pictures: dict[str, Picture]) -> None:
    png = save(pictures["bands"], "png")
    place = png.index(b"pHYs")
    across, down, unit = struct.unpack(">IIB", png[place + 4 : place + 13])
    assert (across, down, unit) == (round(DOTS_PER_INCH / 0.0254), round(DOTS_PER_INCH / 0.0254), 1)


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_the_same_numbers_give_the_same_file(pictures: dict[str, Picture], kind: str) -> None:
    assert save(pictures["accuracy"], kind) == save(pictures["accuracy"], kind)  # type: ignore[arg-type]


def test_inside_a_page_colours_are_those_of_the_page(pictures: dict[str, Picture]) -> None:
    drawn = inline(pictures["accuracy"])
    assert {"var(--ink)", "var(--grid)", "var(--paper)"} <= set(re.findall(r"var\(--\w+\)", drawn))
    assert not any(colour.lower() in drawn.lower() for colour in PAGE_COLOURS)


def test_a_hostile_name_is_text_in_a_picture_and_no_formula(pictures: dict[str, Picture]) -> None:
    root = ElementTree.fromstring(inline(pictures["accuracy"]).replace("xlink:href", "href"))
    texts = ["".join(each.itertext()) for each in root.iter() if each.tag.endswith("text")]
    assert any(HOSTILE[:20] in text for text in texts)
    assert {each.tag for each in root.iter()} <= {
        *("svg", "title", "desc", "defs", "style", "g", "path", "use", "text", "clipPath", "rect"),
    }


def test_the_heat_map_of_skills_is_made_of_shapes_that_a_page_may_show(tmp_path: Path) -> None:
    summary = new_run(tmp_path / "new").summary()
    for skill, correct in (("12", 0), ("7", 2)):
        summary["skills"].append(
            {
                "round": 0,
                "skill": skill,
                "n": 2,
                "correct": correct,
                "taught": 1,
                "written": 3,
                "operators": "similar",
            }
        )
    picture = skills(summary)
    assert picture is not None
    drawn = inline(picture)
    assert "<image" not in drawn
    assert drawn.index(">7<") < drawn.index(">12<")  # the best solved skill comes first
    assert picture.table.rows[0] == ("12: 0", "0 of 2", "1", "3", "similar")
