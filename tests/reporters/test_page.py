"""The packed data of the page holds everything, once."""

from __future__ import annotations

import base64
import gzip
import json

from msgspec.structs import replace

from harness.reporters.page import page_data
from harness.reporters.summary import Summary


def unpack(packed: str):
    return json.loads(gzip.decompress(base64.b64decode(packed)))


def with_texts(value, texts):
    if isinstance(value, list):
        return [with_texts(part, texts) for part in value]
    if isinstance(value, dict):
        if set(value) == {"$"}:
            return texts[value["$"]]
        return {key: with_texts(part, texts) for key, part in value.items()}
    return value


def test_the_index_says_where_each_transcript_is(run):
    data = page_data(Summary(run))
    index, blocks = unpack(data.index), [unpack(block) for block in data.blocks]
    found = [
        (trial_id, blocks[block]["trials"][place]["id"])
        for row in index["rows"]
        for trial_id, _, _, block, place in row["trials"]
    ]
    assert {trial_id for trial_id, _ in found} == {result.trial_id for result in run.results}
    assert all(wanted == there for wanted, there in found)


def test_a_text_that_occurs_often_is_packed_once(run):
    texts = unpack(page_data(Summary(run)).texts)
    found = run.results[0].trace.turns[0].search_results[0]
    assert texts.count([found.filename, 3, found.text]) == 1


def test_a_transcript_comes_back_with_its_texts(run):
    data = page_data(Summary(run))
    texts = unpack(data.texts)
    block = unpack(data.blocks[0])
    trial = with_texts(block["trials"][0], texts)
    trace = run.results[0].trace
    said = [block["said"][turn["answers"][0]["text"]] for turn in trial["turns"]]
    assert said == [turn.answer for turn in trace.turns]
    results = trial["turns"][0]["steps"][0]["calls"][0]["results"]
    passages = [[score, *texts[place]] for score, place in results]
    assert passages == [
        [f.score, f.filename, f.attributes["page"], f.text] for f in trace.turns[0].search_results
    ]
    scores = trial["turns"][0]["scores"]
    assert scores[0] == ["status", "tests"]
    evidence = run.results[0].scores[2].evidence
    assert scores[2]["evidence"]["share"] == evidence["share"]
    assert scores[2]["evidence"]["sentences"][0]["evidence"] == evidence["sentences"][0]["evidence"]


def test_what_the_user_says_is_packed_once_unless_a_repeat_differs(run):
    data = page_data(Summary(run))
    first, *_ = unpack(data.index)["rows"]
    assert first["says"] == [turn.user.text for turn in run.results[0].trace.turns]
    assert "user" not in unpack(data.blocks[0])["trials"][0]["turns"][0]
    turn = run.results[0].trace.turns[0]
    other = replace(turn, user=replace(turn.user, text="Said differently"))
    changed = replace(run.results[1], trace=replace(run.results[1].trace, turns=(other,)))
    data = page_data(Summary(replace(run, results=(run.results[0], changed))))
    assert unpack(data.blocks[0])["trials"][1]["turns"][0]["user"] == "Said differently"


def test_large_runs_are_packed_in_several_blocks_that_the_index_finds(run):
    answer = replace(run.results[8].trace.turns[0].messages[0], text="x" * 500_000)
    turn = replace(run.results[8].trace.turns[0], messages=(answer,))
    trace = replace(run.results[8].trace, turns=(turn,))
    results = tuple(replace(run.results[8], trial_id=f"t{n}", repeat=n, trace=trace) for n in range(8))
    data = page_data(Summary(replace(run, results=results)))
    assert len(data.blocks) > 1
    (row,) = unpack(data.index)["rows"]
    blocks = [unpack(block) for block in data.blocks]
    assert [blocks[b]["trials"][place]["id"] for _, _, _, b, place in row["trials"]] == [
        f"t{n}" for n in range(8)
    ]


def test_scores_of_turns_that_were_never_begun_are_not_lost(run):
    result = run.results[8]
    late = replace(result.scores[0], turn=5, check="late")
    data = page_data(Summary(replace(run, results=(replace(result, scores=(late,)),))))
    (trial,) = unpack(data.blocks[0])["trials"]
    assert trial["scores"] == [["late", "tests"]]
