# SPDX-License-Identifier: Apache-2.0
"""The demo's own parts: its sentences, its counting, its curve. The demo itself is `make demo`."""

from __future__ import annotations

import pytest
import torch

from tilewise.demo import census, corpus, digits, loss_curve
from tilewise.demo.serving import Tally


@pytest.mark.parametrize(
    ("docstring", "sentence"),
    [
        ("Sort the list in place.  More text.", "Sort the list in place."),
        ("sort(key)\n\nSorts what it is\ngiven. And more.", "Sorts what it is given."),
        ("add(input, other) -> Tensor\n\nAdds :attr:`other` to it.\n", "Adds other to it."),
        ("See :class:`~torch.nn.Linear` for ``bias``. x", "See torch.nn.Linear for bias."),
        (".. deprecated:: 1\n\nReturns i.e. the 1.5 fold value", "Returns i.e."),
        ("Too short.", None),
        (">>> f(1)\n1", None),
    ],
)
def test_first_sentence_is_prose_without_markup(docstring, sentence):
    found = corpus.first_sentence(docstring)
    if sentence == "Returns i.e.":  # Abbreviations end a sentence here, which is too short then.
        assert found is None
    else:
        assert found == sentence


def test_sentences_are_many_distinct_and_the_same_each_time():
    first, second = corpus.collect(), corpus.collect()
    assert first == second
    assert len(first) >= 1000
    assert len({entry.sentence for entry in first}) == len(first)
    assert {"list.sort", "os.waitpid"} <= {entry.name for entry in first}


def test_census_counts_kernels_and_neither_views_nor_allocations():
    x = torch.randn(4, 6)
    calls = census.count_calls(lambda: x.t().reshape(2, 12) + torch.empty(12), x.device)
    assert calls == {"add.Tensor": 1, "clone": 1}  # The copy is reshape's.


def test_census_looks_into_composites_unless_they_are_taken_over():
    x = torch.ones(2, 3)
    cpu = torch.device("cpu")
    assert census.count_calls(lambda: torch.rot90(x, 2), cpu) == {"flip": 1}
    assert census.count_calls(lambda: torch.rot90(x, 2), cpu, {"rot90"}) == {"rot90": 1}


def test_fraction_counts_what_went_past():
    assert Tally(90, 5, census.Counter({"gather": 5})).fraction() == 0.9
    assert Tally().fraction() == 0.0


def test_training_is_reproducible_and_learns():
    data = digits.load()
    runs = [digits.train(digits.initial_model(), data, steps=30) for _ in range(2)]
    assert runs[0] == runs[1]
    assert runs[0].losses[-1] < 0.9 * runs[0].losses[0]


def test_difference_of_curves_is_relative_to_the_second():
    assert digits.largest_relative_difference([1.0, 2.2], [1.0, 2.0]) == pytest.approx(0.1)


def test_drawing_leaves_one_whole_picture(tmp_path):
    loss_curve.draw({"ours": [2.0, 1.0], "stock": [2.0, 1.1]}, tmp_path / "curve.png")
    assert [path.name for path in tmp_path.iterdir()] == ["curve.png"]
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
