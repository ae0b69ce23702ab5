"""Vector indexes: none where none was, those of other access methods, and what is said of very many."""

from __future__ import annotations

import argparse
import re
from typing import Any

import pytest
from support import Conn, FakeEmbedder, catalog, check_space
from test_any_table import DOCUMENTS, NEW, OLD, has_vector_index, make, new, one, run_sql
from test_by_hand import files, run_psql

from vestige_sql import (
    ReembedPlan,
    ReembedReport,
    dry_run_reembed,
    finalize,
    register_model,
    rollback,
    run_reembed,
    stage_reembed,
)
from vestige_sql.cli.output import print_report
from vestige_sql.errors import RecallTooLow, TargetError
from vestige_sql.look.status import status
from vestige_sql.reembed.recall import check_recall
from vestige_sql.reembed.target import probe
from vestige_sql.resources import resource_dir

# pgvector's handler under another name, and GiST with a made-up class, in a schema of its own.
DISKANN = """CREATE ACCESS METHOD diskann TYPE INDEX HANDLER hnswhandler
    ;CREATE OPERATOR CLASS vector_cosine_diskann FOR TYPE vector USING diskann AS
        OPERATOR 1 <=> (vector, vector) FOR ORDER BY float_ops,
        FUNCTION 1 vector_negative_inner_product(vector, vector), FUNCTION 2 vector_norm(vector)
    ;CREATE INDEX docs_diskann ON documents USING diskann (embedding vector_cosine_diskann) WITH (m = 7)
    ;COMMENT ON INDEX docs_diskann IS 'by disk'"""


def definitions(conn: Conn) -> list[tuple[Any, ...]]:
    return [index[:3] for index in catalog(conn, "documents")["indexes"] if not index[4]]


@pytest.mark.parametrize(
    "plan", [ReembedPlan(), ReembedPlan(apply="swap", concurrent_index=True), ReembedPlan(online=True)]
)
def test_no_index_where_none_was(db: str, conn: Conn, plan: ReembedPlan, vestige: Any) -> None:
    make(conn)
    register_model(db, OLD.signature(), target=DOCUMENTS)
    summary = dry_run_reembed(db, NEW, plan, target=DOCUMENTS)
    assert not summary.would_build_index
    assert "has no vector index, and gets none" in str(summary.notes)
    report = run_reembed(db, NEW, plan, target=DOCUMENTS)
    assert not has_vector_index(catalog(conn, "documents"))
    assert report.recall == []
    check_space(conn, NEW, DOCUMENTS)
    again = FakeEmbedder("new", 16)
    assert run_reembed(db, again, plan, target=DOCUMENTS).nothing_to_do
    assert dry_run_reembed(db, again, plan, target=DOCUMENTS).nothing_to_do
    assert again.calls == 0
    if plan.online:
        rollback(db, target=DOCUMENTS)
        assert not has_vector_index(catalog(conn, "documents"))
        rollback(db, target=DOCUMENTS)
        finalize(db, target=DOCUMENTS)
    # With the option the index alone is built, and it stays from then on.
    asked = ("migrate", "reembed", "--postgres-url", db, "--table", "documents")
    assert "--create-index" in vestige(*asked, "--help").out
    assert dry_run_reembed(db, NEW, ReembedPlan(create_index=True), target=DOCUMENTS).would_build_index
    assert run_reembed(db, NEW, ReembedPlan(create_index=True), target=DOCUMENTS).way == "index"
    assert has_vector_index(catalog(conn, "documents"))
    run_reembed(db, OLD, plan, target=DOCUMENTS)
    assert has_vector_index(catalog(conn, "documents"))
    assert status(db, target=DOCUMENTS)["indexes"][0]["valid"]


def test_psql_builds_no_index_unless_asked(db: str, conn: Conn, psql: str) -> None:
    for asked in ([], ["-v", "create_index=true"]):
        make(conn)
        stage_reembed(db, NEW, target=DOCUMENTS)
        head = ("transaction/10_set_limits.sql", "variables.psql", "transaction/20_claim_run.sql")
        before = [part for name in head for part in ("-f", str(resource_dir("sql") / name))]
        run_psql(psql, db, "-1", "-v", "target=documents", *asked, *before, *files("rewrite"))
        check_space(conn, NEW, DOCUMENTS)
        assert has_vector_index(catalog(conn, "documents")) == bool(asked)
        run_sql(conn, "DROP TABLE documents", "DELETE FROM vestige_sql.model")


@pytest.mark.parametrize(
    "plan", [*(ReembedPlan(apply=way) for way in ("rewrite", "widen", "swap")), ReembedPlan(online=True)]
)
def test_another_access_method_counts(db: str, conn: Conn, plan: ReembedPlan) -> None:
    make(conn)
    run_sql(conn, *DISKANN.split(";"))
    before = definitions(conn)
    register_model(db, OLD.signature(), target=DOCUMENTS)
    report = run_reembed(db, NEW, plan, target=DOCUMENTS)
    check_space(conn, NEW, DOCUMENTS)
    assert definitions(conn) == before or plan.online
    assert before[0] in definitions(conn)
    assert [index["name"] for index in report.recall] == ["docs_diskann"]
    assert report.recall[0]["recall"] == 1
    assert one(conn, "SELECT obj_description('docs_diskann'::regclass)") == "by disk"
    assert [index["method"] for index in status(db, target=DOCUMENTS)["indexes"]] == ["diskann"]
    assert run_reembed(db, NEW, plan, target=DOCUMENTS).nothing_to_do
    if plan.online:
        rollback(db, target=DOCUMENTS)
        check_space(conn, OLD, DOCUMENTS)
        assert before[0] in definitions(conn)


@pytest.mark.parametrize("plan", [ReembedPlan(), ReembedPlan(online=True)])
def test_one_that_cannot_be_built_is_named_before_the_encoding(db: str, conn: Conn, plan: ReembedPlan) -> None:
    """Above 2,000 dimensions it needs a class for halfvec, which this method has not."""
    make(conn)
    run_sql(conn, *DISKANN.split(";"))
    before = definitions(conn)
    long = new(2100)
    with pytest.raises(TargetError, match=r"index public\.docs_diskann \(an index that cannot be built") as refused:
        run_reembed(db, long, plan, target=DOCUMENTS)
    assert "DROP INDEX public.docs_diskann;" in refused.value.hint
    assert long.calls == 0
    assert definitions(conn) == before


def test_more_keys_and_parameters_in_quotes_come_along(db: str, conn: Conn) -> None:
    """GiST stands in for methods with several keys, such as diskann with its labels.

    The table has no rows: what its class calls is made up.
    """
    make(conn, keys=(), more=", labels point, other text")
    run_sql(
        conn,
        'CREATE SCHEMA "Odd"',
        *(
            f'CREATE FUNCTION "Odd".{signature} LANGUAGE internal AS $$int4eq$$'
            for signature in (
                "consistent(internal, vector, smallint, oid, internal) RETURNS bool",
                "united(internal, internal) RETURNS vector",
                "penalty(internal, internal, internal) RETURNS internal",
                "split(internal, internal) RETURNS internal",
                "same(vector, vector, internal) RETURNS internal",
                "distance(internal, vector, smallint, oid, internal) RETURNS float8",
            )
        ),
        'CREATE OPERATOR CLASS "Odd".by_two FOR TYPE vector USING gist AS'
        " OPERATOR 1 <-> (vector, vector) FOR ORDER BY float_ops,"
        " OPERATOR 2 <=> (vector, vector) FOR ORDER BY float_ops,"
        ' FUNCTION 1 "Odd".consistent(internal, vector, smallint, oid, internal),'
        ' FUNCTION 2 "Odd".united(internal, internal),'
        ' FUNCTION 5 "Odd".penalty(internal, internal, internal), FUNCTION 6 "Odd".split(internal, internal),'
        ' FUNCTION 7 "Odd".same(vector, vector, internal),'
        ' FUNCTION 8 "Odd".distance(internal, vector, smallint, oid, internal)',
        'CREATE INDEX several ON documents USING gist (embedding "Odd".by_two, labels) INCLUDE (other)'
        " WITH (fillfactor='70', buffering='on') WHERE embedding IS NOT NULL",
        "CREATE INDEX aside ON documents USING gist (labels) WHERE embedding IS NOT NULL",
    )
    before = definitions(conn)
    for embedder, plan in ((NEW, ReembedPlan()), (new(24), ReembedPlan(apply="widen"))):
        run_reembed(db, embedder, plan, target=DOCUMENTS)
        assert definitions(conn) == before
    # an index that orders something else is brought along by no second column
    with pytest.raises(TargetError, match=r"index public\.aside \(an index\)"):
        run_reembed(db, OLD, ReembedPlan(online=True), target=DOCUMENTS)
    run_sql(conn, "DROP INDEX aside")
    run_reembed(db, OLD, ReembedPlan(online=True), target=DOCUMENTS)
    finalize(db, target=DOCUMENTS)
    assert definitions(conn) == [index for index in before if index[0] != "aside"]


def test_the_former_index_says_what_is_enough(db: str, conn: Conn) -> None:
    """An index with many lists finds little with one probe, before as after. One that has got worse is refused."""
    make(conn, texts=())
    run_sql(
        conn,
        "INSERT INTO documents SELECT i, 'document number ' || i FROM generate_series(1, 400) AS i",
        "CREATE INDEX by_list ON documents USING ivfflat (embedding vector_l2_ops) WITH (lists = 100)",
    )
    run_reembed(db, OLD, target=DOCUMENTS)
    report = run_reembed(db, NEW, ReembedPlan(online=True), target=DOCUMENTS)
    assert report.recall[0]["recall"] < 0.6
    finalize(db, target=DOCUMENTS)
    with pytest.raises(RecallTooLow, match=r"less than 0\.9") as caught:
        run_reembed(db, OLD, ReembedPlan(online=True, min_recall=0.9), target=DOCUMENTS)
    assert "ivfflat.probes" in caught.value.hint
    assert "lists" in caught.value.hint
    assert "ef_construction" not in caught.value.hint
    live = one(conn, "SELECT recall FROM vestige_sql.index_recall('by_list', 'id', 30)")
    values = probe(conn, DOCUMENTS).values
    index = {"name": "by_list", "built_as": "b", "recall": 0.0, "sampled": 30, "method": "ivfflat"}
    index |= {"setting": "ivfflat.probes", "search_setting": "ivfflat.probes = 1"}
    with pytest.raises(RecallTooLow, match=re.escape(f"(the former index finds {live:.3f})")):
        check_recall(conn, values, [index], None, 30)
    check_recall(conn, values, [index | {"recall": live}], None, 30)


def test_many_partial_indexes_are_one_line(db: str, conn: Conn, vestige: Any, caplog: pytest.LogCaptureFixture) -> None:
    make(conn)
    for i in range(8):
        run_sql(conn, f"CREATE INDEX part_{i} ON documents USING hnsw (embedding vector_cosine_ops) WHERE id % 8 = {i}")
    at = ("--postgres-url", db, "--table", "documents", "--content-column", "body")
    assert len(definitions(conn)) == 8
    for verb in ("status", "probe"):
        said = vestige("migrate", verb, *at)
        assert said.code == 0, said.err
        assert len([line for line in said.out.splitlines() if "part_" in line]) == 1
        assert len(vestige("migrate", verb, *at, "--json").answer["indexes"]) == 8
    assert "8: part_0, part_1, part_2 and 5 more (hnsw, valid)" in vestige("migrate", "status", *at).out
    reports = ReembedReport(
        recall=[
            {"name": f"part_{i}", "recall": 0.9 + i / 100, "sampled": 2, "search_setting": "s = 1"} for i in range(8)
        ]
    )
    with caplog.at_level("INFO", "vestige_sql"):
        print_report(argparse.Namespace(json=False), reports)
    assert (
        "recall@10 of 8 indexes is 0.935 on average, and lowest for part_0: 0.900 (2 questions, s = 1)" in caplog.text
    )
    assert caplog.text.count("recall@10") == 1
