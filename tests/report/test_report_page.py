from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from itertools import pairwise
from pathlib import Path

import pytest
import synthetic_results
from report_pages import ReadPage
from synthetic_results import ENCODERS, HOSTILE, SENSES, word_map

from embedpipe.experiment.results import Confusion, Results, Timings
from embedpipe.report import write_report
from embedpipe.report.numbers import interval, percent, plus_minus

KINDS = ("ner", "pos", "sentences", "tiny")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Results, Timings, str]]:
    pages = {}
    for kind in KINDS:
        results, timings = getattr(synthetic_results, kind)()
        path = tmp_path_factory.mktemp("report") / "report.html"
        write_report(results, timings, path)
        pages[kind] = (results, timings, path.read_text(encoding="utf-8"))
    return pages


def page_of(results: Results, folder: Path, timings: Timings | None = None) -> str:
    write_report(results, timings or Timings({}, {}, {}), folder / "report.html")
    return (folder / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", KINDS)
def test_page_closes_every_element_in_order(made, kind: str) -> None:
    page = ReadPage(made[kind][2])
    assert [tag for tag, _ in page.elements].count("h1") == 1


@pytest.mark.parametrize("kind", KINDS)
def test_ids_are_unique_and_every_reference_to_one_finds_it(made, kind: str) -> None:
    page = ReadPage(made[kind][2])
    assert len(page.ids) == len(set(page.ids))
    references = []
    for _, attributes in page.elements:
        for name in ("aria-labelledby", "aria-describedby", "for"):
            references += (attributes.get(name) or "").split()
        references += [attributes["href"][1:]] if (attributes.get("href") or "").startswith("#") else []
        references += re.findall(r"url\(#([^)]+)\)", " ".join(value or "" for value in attributes.values()))
    assert references
    assert set(references) <= set(page.ids)


@pytest.mark.parametrize("kind", KINDS)
def test_headings_go_down_one_level_at_a_time(made, kind: str) -> None:
    levels = ReadPage(made[kind][2]).headings
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


@pytest.mark.parametrize("kind", KINDS)
def test_page_loads_nothing_from_outside(made, kind: str) -> None:
    page = ReadPage(made[kind][2])
    assert not re.search(r"(?:src|srcset|href|data|action)=[\"'](?!#|data:)", made[kind][2])
    assert not re.search(r"url\((?!#)|@import|https?://(?!www\.w3\.org/)", made[kind][2])
    policies = [a["content"] for tag, a in page.elements if tag == "meta" and a.get("http-equiv") == "Content-Security-Policy"]
    assert policies[0].startswith("default-src 'none'")


@pytest.mark.parametrize("kind", KINDS)
def test_every_number_of_every_row_is_in_the_table(made, kind: str) -> None:
    results, _, html = made[kind]
    cells = ReadPage(html).cells
    for row in results.rows:
        choice = next(c for c in results.choices[row.encoder] if c.name == row.choice)
        wanted = [
            plus_minus(row.mean, row.sd, row.num_seeds),
            interval(row.bootstrap_low, row.bootstrap_high),
            percent(row.dev_mean),
            *(percent(row.other[name]) for name in ("token_f1", "conlleval_f1", "macro_f1") if name in row.other),
        ]
        if row.num_seeds > 1:
            wanted.append(interval(row.low, row.high))
        if choice.vector_size:
            wanted += [f"{choice.vector_size:,}", f"{choice.bytes_per_row:,}"]
        assert set(wanted) <= set(cells)


def test_figures_of_the_paper_stand_beside_its_choices_and_are_said_to_be_other_data(made) -> None:
    page = ReadPage(made["ner"][2])
    at = [i for i, cell in enumerate(page.cells) if cell.split(" ★")[0].split(" ≈")[0] == "second to lastlayer 5"]
    assert at
    assert all(page.cells[i + 2] == "95.6" for i in at)
    learned = next(i for i, cell in enumerate(page.cells) if cell.startswith("mix last four"))
    assert page.cells[learned + 2] == "95.9"
    assert "Those are other data: BERT base on the development sentences of CoNLL-2003" in page.text


def test_figures_of_the_paper_do_not_stand_beside_accuracies(tmp_path: Path) -> None:
    results, _ = synthetic_results.results_of(
        task={"type": "sentence_labels", "label": "spam"}, metric="accuracy", types=("ham", "spam"), tags=("ham", "spam")
    )
    page = ReadPage(page_of(results, tmp_path))
    assert "The choices of the BERT paper" in page.text
    assert "95.6" not in page.cells
    assert "table 7" not in page.text


def test_the_paper_is_not_mentioned_where_none_of_its_choices_is(tmp_path: Path) -> None:
    results, _ = synthetic_results.results_of(
        task={"type": "ner", "label": "ner"},
        metric="f1",
        types=("PER",),
        tags=("O", "B-PER"),
        only=("layer_1", "layer_2"),
        tuned=False,
    )
    assert "Devlin" not in page_of(results, tmp_path)


def test_what_is_not_told_apart_from_the_best_is_marked_and_no_other(made) -> None:
    results, _, html = made["ner"]
    cells = ReadPage(html).cells
    marked = sum(row.best for row in results.rows)
    assert sum(cell.split("layer")[0].endswith(("★", "≈")) or "★" in cell or "≈" in cell for cell in cells) == marked


@pytest.mark.parametrize(
    "hostile", [HOSTILE, "\"><img src=x onerror='alert(1)'>", "{{ 7 * 7 }}{% raw %}", "&lt;b&gt;", "]]></style>"]
)
def test_hostile_text_is_text_wherever_it_comes_from(tmp_path: Path, hostile: str) -> None:
    results, timings = synthetic_results.ner(num_uses=6)
    first = results.disagreements[0]
    hostile_map = word_map("minilm", hostile, 6, 5, (hostile, "other"))
    results = dataclasses.replace(
        results,
        title=hostile,
        notes=(hostile,),
        disagreements=(dataclasses.replace(first, sentence_id=hostile, words=(hostile, *first.words[1:])),),
        maps=(hostile_map,),
        provenance={"command": hostile, "config": {hostile: hostile}},
        splits=(dataclasses.replace(results.splits[0], files=(hostile,)),),
    )
    html = page_of(results, tmp_path, dataclasses.replace(timings, machine={hostile: hostile}))
    page = ReadPage(html)
    plain = ReadPage(page_of(synthetic_results.ner(num_uses=6)[0], tmp_path))
    scripts = [tag for tag, _ in page.elements if tag in {"script", "img", "b"}]
    assert scripts.count("script") == [tag for tag, _ in plain.elements].count("script") == 1
    assert "img" not in scripts
    assert "".join(page.texts).count(hostile) >= 8
    assert any(hostile in title for title in page.titles)


def test_drawings_are_well_formed_and_have_a_name(made) -> None:
    drawings = re.findall(r"<svg.*?</svg>", made["ner"][2], flags=re.DOTALL)
    assert len(drawings) > 100
    for drawing in drawings:
        root = ElementTree.fromstring(drawing)
        named = root.get("aria-label") or root.get("aria-labelledby") or root.get("aria-hidden")
        assert named
        assert "nan" not in drawing
        assert "inf" not in re.sub(r"<(title|desc).*?</\1>", "", drawing)


def test_every_use_on_a_map_has_its_sentence_once_on_hover_and_a_place_in_every_layer(made) -> None:
    results, _, html = made["ner"]
    points = re.findall(r'<path [^>]*class="pt mark[^"]*" style="([^"]*)"', html)
    assert len(points) == sum(len(word_map.occurrences) for word_map in results.maps)
    assert sum(style.count("--p") for style in points) == sum(
        len(word_map.occurrences) * (len(word_map.panels) - 1) for word_map in results.maps
    )
    titles = ReadPage(html).titles
    assert sum("number 5, they had walked along ‹bank›" in title for title in titles) == 2
    assert "static vectors: all 180 uses are one point" in ReadPage(html).text


def test_map_of_static_vectors_that_differ_says_how_many_points_there_are(tmp_path: Path) -> None:
    results, _ = synthetic_results.ner(num_uses=6)
    apart = word_map("minilm", "bank", 6, 6, SENSES)
    apart = dataclasses.replace(apart, panels={**apart.panels, "static": [(float(i % 2), 0.0) for i in range(6)]})
    assert "6 uses are 2 points" in ReadPage(page_of(dataclasses.replace(results, maps=(apart,)), tmp_path)).text


def test_map_without_static_vectors_and_with_equal_points_is_drawn(tmp_path: Path) -> None:
    results, _ = synthetic_results.ner(num_uses=6)
    flat = word_map("minilm", "bank", 6, 6, SENSES)
    panels = {name: [(1e9, -1e9)] * 6 for name in flat.panels if name != "static"}
    page = ReadPage(page_of(dataclasses.replace(results, maps=(dataclasses.replace(flat, panels=panels),)), tmp_path))
    assert "are one point" not in page.text
    assert "layer 6" in page.text


def test_sections_without_content_are_left_out(made) -> None:
    assert {"layers", "mixes", "cost", "maps", "examples", "types"} <= set(ReadPage(made["ner"][2]).ids)
    tiny = ReadPage(made["tiny"][2])
    assert not {"layers", "mixes", "cost", "maps", "examples", "types"} & set(tiny.ids)
    assert not any(tag == "script" for tag, _ in tiny.elements)
    assert "One seed: nothing is known about the spread over seeds." in tiny.text


def test_notes_and_provenance_are_shown(made) -> None:
    results, timings, html = made["pos"]
    text = ReadPage(html).text
    assert "403 duplicates" in text
    assert results.provenance["fingerprint"] in text
    assert timings.machine["date"] in text
    assert results.provenance["versions"]["transformers"] in text
    assert results.splits[0].files[0] in text


def test_page_is_made_without_any_timings(made, tmp_path: Path) -> None:
    page = ReadPage(page_of(made["ner"][0], tmp_path))
    assert "training" not in [cell.split("a seed")[0] for cell in page.cells]
    assert "Extraction" not in page.text


def test_comparison_without_rows_says_so(made, tmp_path: Path) -> None:
    empty = dataclasses.replace(made["tiny"][0], rows=(), runs=(), paired=(), confusions=())
    assert "The comparison has no rows." in ReadPage(page_of(empty, tmp_path)).text


def test_fine_tuned_encoders_alone_make_a_group_of_their_own(made, tmp_path: Path) -> None:
    results = made["ner"][0]
    alone = dataclasses.replace(results, rows=tuple(row for row in results.rows if row.choice == "fine_tuned"))
    assert (
        "Fine-tuning reaches" in ReadPage(page_of(alone, tmp_path)).text
        or "Fine-tuning" in ReadPage(page_of(alone, tmp_path)).text
    )


def test_many_types_and_tags_are_cut_with_a_word_about_it(tmp_path: Path) -> None:
    types = tuple(f"intent_{i}" for i in range(77))
    results, _ = synthetic_results.results_of(
        task={"type": "sentence_labels", "label": "intent"},
        metric="accuracy",
        types=types,
        tags=types,
        encoders={"minilm": (6, 384)},
        heads=("linear",),
        seeds=2,
    )
    text = ReadPage(page_of(results, tmp_path)).text
    assert "The 20 most frequent of 77; the other 57 are in results.json." in text
    assert "The 25 tags with the most mistakes; the other 52 are in results.json." in text


def test_confusion_without_mistakes_says_so(tmp_path: Path) -> None:
    results, _ = synthetic_results.tiny()
    right = Confusion("minilm", "sentence", "first", "last", "linear", ("PER", "O"), ((9, 0), (0, 90)))
    assert "No mistake." in ReadPage(page_of(dataclasses.replace(results, confusions=(right,)), tmp_path)).text


def test_same_results_give_the_same_bytes_and_replace_the_old_page(tmp_path: Path) -> None:
    results, timings = synthetic_results.ner(num_uses=20)
    first = page_of(results, tmp_path, timings)
    assert page_of(results, tmp_path, timings) == first
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_two_thousand_uses_and_a_hundred_rows_stay_small(tmp_path: Path) -> None:
    encoders = {**ENCODERS, "bert": (12, 768), "large": (12, 1024)}
    results, timings = synthetic_results.results_of(
        task={"type": "ner", "label": "ner"},
        metric="f1",
        types=synthetic_results.NER_TYPES,
        tags=("O",),
        encoders=encoders,
        maps=(word_map("mpnet", "bank", 12, 2000, SENSES),),
    )
    assert len(results.rows) > 100
    html = page_of(results, tmp_path, timings)
    assert len(html.encode()) < 3_000_000


def test_report_needs_no_torch_and_no_scikit_learn() -> None:
    script = "import sys, embedpipe.report; print([name for name in ('torch', 'sklearn', 'scipy', 'pydantic') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
