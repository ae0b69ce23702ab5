"""Keeps one table up to date on one connection: opens, looks, sweeps, claims, embeds, writes.

The work is SQL: ``sql/plans/worker`` has the steps. What waits is a table of notes. A trigger adds to it, or a sweep
does. A vector is written by a statement that checks model and text under a lock that a switch needs too.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

import psycopg

from vestige_sql import steps
from vestige_sql.encode.embedder import Embedder, ModelSignature, Vectors
from vestige_sql.errors import LockNotAvailable, ModelMismatch, TargetError, UsageError
from vestige_sql.plan import ReembedPlan, Target
from vestige_sql.reembed.decide import may_suppress_triggers
from vestige_sql.reembed.encoder import check_remembered
from vestige_sql.reembed.encoding import recorded_encoding
from vestige_sql.reembed.rows import check_all_rows
from vestige_sql.reembed.run import refusal_values
from vestige_sql.reembed.target import Probed, probe
from vestige_sql.steps import plans
from vestige_sql.steps.files import Value
from vestige_sql.worker.batch import Encoder, as_json, literal
from vestige_sql.worker.plan import Kept, Load, WorkerPlan
from vestige_sql.worker.sweeper import Sweeper

log = logging.getLogger("vestige_sql")

_PAGE_BYTES = 8 << 20

_TEXT_CHARACTERS = 1 << 18
"""How much of a text is read at first. Few models use more; for one that does, the text is read again, longer."""

_LOCK_TIMEOUT = "5s"
_LOCK_ATTEMPTS = 12
_TRIGGER_LOCK_TIMEOUT = "2s"

_OF_A_ROW = (
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.errors.RaiseException,
    psycopg.errors.ExternalRoutineException,
)
"""The errors of a write that one of its rows may be the reason of."""

_HINT = "the vectors that are there stay, and the rows that wait stay noted"


@dataclass
class Keeper:
    """One target of a worker. ``models`` keeps what was loaded, also for the next connection."""

    conn: psycopg.Connection[Any]
    target: Target
    plan: WorkerPlan
    load: Load
    stop: threading.Event
    kept: Kept
    models: dict[ModelSignature, Embedder]
    process: str = ""
    process_id: str = field(default_factory=lambda: str(uuid4()))
    error: str = ""
    values: dict[str, Value] = field(init=False, default_factory=dict)
    # The last note that this pass has claimed, and whether the trigger was there at the last look.
    _after: int | None = field(init=False, default=None)
    _noting: bool | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._sweeper = Sweeper(self)

    def open(self) -> None:
        """Probe the target, check that the worker may write, load the registered model, and make the worker's row.

        Raises :class:`TargetError`, :class:`CheckFailed` and :class:`ModelMismatch`, and what loading raises.
        """
        self._begin("worker_install" if self.plan.install else "worker")
        self.model = self._registered(self.probed)
        self.values |= refusal_values(
            self.probed, self.model.dimension, ReembedPlan(fire_triggers=self.plan.fire_triggers)
        )
        self.values |= {"model_name": self.model.name, "model_hash": self.model.hash, "way": "fill"}
        with self.conn.transaction():
            for step in self._order.steps("check"):
                steps.run(self.conn, step, self.values)
        self.quiet = may_suppress_triggers(self.conn)
        self.encoder = self._loaded()
        self._probe_worker()
        if not self._registers():
            self.open()
            return
        self._probe_worker()
        if self.plan.install:
            self.install()
        self.do("worker/listen.sql")
        self.kept.target, self.kept.model = self.probed.column, self.model
        self.beat("starting")

    def _registers(self) -> bool:
        """Make or renew the worker's row. Returns False if the model was switched since the target was probed."""
        try:
            for step in steps.folder("worker/open"):
                steps.run(self.conn, step, self.values)
        except psycopg.Error as error:
            if error.sqlstate != steps.CHECK_FAILED or probe(self.conn, self.target, verb="worker").model == self.model:
                raise
            return False
        return True

    def _begin(self, verb: str) -> None:
        if self.target.content_expression:
            raise UsageError(
                "the worker does not take --content-expression: it embeds the text of one column",
                "nothing was written; vestige-sql migrate reembed with the registered model embeds the rows that lack "
                "a vector",
            )
        self._order = plans.load("worker")
        self.do("worker/session.sql")
        self.probed = probe(self.conn, self.target, verb=verb)
        check_all_rows(self.probed, "a worker")
        self.values = dict(self.probed.values)

    def _registered(self, probed: Probed) -> ModelSignature:
        probed.check_known()
        if probed.model is None:
            raise ModelMismatch(
                f"no model is registered for {probed.column}, so the worker has none to embed with",
                "nothing was written; vestige-sql migrate register names the model of the vectors that are there, and "
                "vestige-sql migrate reembed embeds every row",
            )
        return probed.model

    def _probe_worker(self) -> None:
        found = steps.query_one(self.conn, "probe/worker.sql", self.values)
        assert found is not None
        self.values |= found

    def _loaded(self) -> Encoder:
        if self.model not in self.models:
            recorded = recorded_encoding(self.conn, self.values, self.model)
            log.info("worker: %s: loading %s", self.probed.column, self.model)
            embedder = self.load(self.model, recorded)
            if (given := embedder.signature()) != self.model:
                raise ModelMismatch(
                    f"{self.probed.column} is registered with {self.model}, and what was loaded for it is {given}",
                    f"{_HINT}; start the worker with the registered model, with its prompts and its length",
                )
            # A model of before a switch is not asked for again.
            self.models.clear()
            self.models[self.model] = embedder
        embedder = self.models[self.model]
        return Encoder(embedder, check_remembered(self.conn, embedder), str(self.values["embedding_type"]))

    def install(self) -> None:
        """Make the trigger that notes changes, if it is not there as it has to be.

        Raises :class:`LockNotAvailable` if the table cannot be locked soon.
        """
        if not self.ask("worker/claim_sweep.sql")["is_mine"]:
            # Another worker is at it, or looks at the table. This one looks itself until there is a trigger.
            return
        try:
            if not self._look()["is_noting"]:
                self._alter("note")
                log.info("worker: %s: a trigger notes changes from now on", self.probed.name)
        finally:
            self.release()

    def uninstall(self) -> None:
        """Drop the trigger that notes changes, and its function. Raises what :meth:`install` raises."""
        self._begin("worker_install")
        self._probe_worker()
        self._alter("unnote")
        log.info("worker: %s: no trigger notes changes any more", self.probed.name)

    def _alter(self, part: str) -> None:
        try:
            with self.conn.transaction():
                for step in self._order.steps(part):
                    steps.run(self.conn, step, self.values | {"lock_timeout": _TRIGGER_LOCK_TIMEOUT})
        except psycopg.errors.LockNotAvailable as error:
            raise LockNotAvailable(
                f"{self.probed.name} was not free for a trigger within {_TRIGGER_LOCK_TIMEOUT}",
                f"{_HINT}; run the same command again when no long transaction writes to the table",
            ) from error

    def _look(self) -> dict[str, Any]:
        found = steps.query_one(self.conn, "worker/look.sql", self.values)
        if found is None:
            raise TargetError(
                f"{self.probed.name} is gone, or what the worker keeps about it",
                "start the worker again, with the table that it is to keep up to date",
            )
        return found

    def run_pass(self) -> None:
        """Make one pass: look, sweep if it is time to, and embed what waits. Ends early if ``stop`` is set."""
        look = self._look()
        if not look["is_called_so"]:
            self._renamed(look)
            look = self._look()
        if look["is_hidden"]:
            raise TargetError(
                f"row level security hides rows of {self.probed.name} from the worker by now",
                f"{_HINT}; run it as the table's owner, or as a role with BYPASSRLS",
            )
        if not look["is_current"]:
            log.info("worker: %s: the registered model is another by now", self.probed.column)
            self.open()
            look = self._look()
        if look["is_noting"] != self._noting:
            if self._noting:
                log.warning(
                    "worker: %s: the trigger that noted changes is gone or altered; the worker looks for them itself. "
                    "Start it with --install to have it back",
                    self.probed.name,
                )
            self._noting = look["is_noting"]
        self._sweeper.sweep(look)
        while not self.stop.is_set() and self._batch():
            pass
        self.kept.passes += 1
        self.kept.waiting = self._look()["waiting"]
        self.beat("waiting")

    def _renamed(self, look: Mapping[str, Any]) -> None:
        """Follow the table to its new name, if its former one is nobody's."""
        former = self.probed.name
        try:
            there = probe(self.conn, self.target, verb="worker")
        except TargetError:
            name = psycopg.sql.Identifier(look["schema"], look["table"]).as_string(self.conn)
            if name == former or look["name"] == former:
                raise
            log.info("worker: %s is called %s by now", former, look["name"])
            self.target = replace(self.target, table=name)
        else:
            if there.values["oid"] != self.values["oid"]:
                raise TargetError(
                    f"{former} is another table by now; the one that the worker kept is called {look['name']}",
                    f"{_HINT}; start the worker again, with the table that it is to keep up to date",
                )
        self.open()

    def _batch(self) -> bool:
        """Claim, embed and write the rows behind those of the batch before. Returns whether there were any."""
        claimed = self._claim()
        if not claimed:
            return False
        try:
            notes = {row["key"]: row["note"] for row in claimed}
            rows = [self._whole(row) for row in self._read(list(notes), _TEXT_CHARACTERS)]
            due = [row for row in rows if row["content"] is not None]
            self.beat("working")
            vectors, errors = self.encoder.encode([row["content"] for row in due])
            bad = {due[place]["key"]: error for place, error in errors.items()}
            made = {due[place]["key"]: vector for place, vector in vectors.items()}
            bad |= self._write([row for row in rows if row["key"] not in bad and not row["is_later"]], made)
            if bad:
                self._fail(bad, notes)
        finally:
            self.release()
        return True

    def _read(self, keys: list[str], characters: int) -> list[dict[str, Any]]:
        return self._query(
            "worker/read.sql",
            {
                "rows": as_json({"key": key} for key in keys),
                "page_bytes": _PAGE_BYTES,
                "text_characters": characters,
            },
        )

    def _whole(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return ``row`` with as much of its text as the model uses."""
        characters = _TEXT_CHARACTERS
        is_enough = getattr(self.encoder.embedder, "is_enough", lambda _: False)
        while row["is_cut"] and row["content"] is not None and not is_enough(row["content"]):
            characters *= 8
            row = self._read([row["key"]], characters)[0]
        return row

    def _claim(self) -> list[dict[str, Any]]:
        if self._after is None:
            self._after = 0
        found = self._query("worker/claim.sql", {"after_note": self._after, "batch_rows": self.plan.batch_rows})
        # The next pass begins anew, with what this one could not settle.
        self._after = max((row["note"] for row in found), default=None)
        return found

    def _write(self, rows: list[dict[str, Any]], vectors: Mapping[str, Vectors]) -> dict[str, str]:
        """Write the ``vectors`` of ``rows`` and settle their notes. Returns the errors, by the rows' keys."""
        given = [
            {
                "key": row["key"],
                "content_hash": row["content_hash"],
                "embedding": literal(vectors[row["key"]]) if row["key"] in vectors else None,
            }
            for row in rows
        ]
        try:
            done = self._written(given)
        except _OF_A_ROW as error:
            if len(rows) == 1:
                return {rows[0]["key"]: f"the server refuses the vector: {error.diag.message_primary}"}
            bad: dict[str, str] = {}
            for row in rows:
                bad |= self._write([row], vectors)
            return bad
        if not done["is_current"]:
            log.info("worker: %s: the model was switched; %d vectors are let go of", self.probed.column, len(vectors))
            return {}
        self.kept.embedded += done["rows_written"]
        self.kept.cleared += done["rows_cleared"]
        if done["rows_written"] or done["rows_cleared"]:
            log.info(
                "worker: %s: embedded %d rows, cleared %d",
                self.probed.column,
                done["rows_written"],
                done["rows_cleared"],
            )
        return dict.fromkeys(done["kept_off"], "a trigger of the table's own kept the row from being written")

    def _written(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        values = self.values | {"rows": as_json(rows), "lock_timeout": _LOCK_TIMEOUT}
        for attempt in range(1, _LOCK_ATTEMPTS + 1):
            try:
                with self.conn.transaction():
                    for step in self._order.steps("write", {"quiet"} if self.quiet else ()):
                        done = steps.run(self.conn, step, values)
                return done.result[0]
            except psycopg.errors.LockNotAvailable:
                # A switch is under way, or an offline apply: the vectors are let go of if it takes long.
                if attempt == _LOCK_ATTEMPTS or self.stop.is_set():
                    return {"is_current": False}
        raise AssertionError

    def _fail(self, bad: Mapping[str, str], notes: Mapping[str, int]) -> None:
        rows = [{"key": key, "note": notes[key], "error": error} for key, error in bad.items()]
        self.do("worker/fail.sql", {"rows": as_json(rows), "retry_secs": self.plan.retry_secs})
        self.kept.failed += len(bad)
        key, self.error = next(iter(bad.items()))
        self.error = f"row {key}: {self.error}"
        log.warning(
            "worker: %s: %d rows cannot be embedded and are tried again later, the first of them %s",
            self.probed.column, len(bad), self.error,
        )  # fmt: skip

    def wait(self, secs: float) -> None:
        """Wait until a change is noted, ``secs`` seconds at most, or until ``stop`` is set."""
        deadline = time.monotonic() + secs
        while not self.stop.is_set() and (left := deadline - time.monotonic()) > 0:
            if any(True for _ in self.conn.notifies(timeout=min(left, 0.2), stop_after=1)):
                return

    def beat(self, state: str) -> None:
        """Say how this process does, for sql/monitor/worker.sql."""
        self.do(
            "worker/beat.sql",
            {
                "process_id": self.process_id,
                "process": self.process,
                "state": state,
                "embedded": self.kept.embedded,
                "cleared": self.kept.cleared,
                "failed": self.kept.failed,
                "error": self.error,
            },
        )

    def release(self) -> None:
        """Release what this session has claimed."""
        if not self.conn.closed:
            self.do("session/release_claims.sql", {})

    def do(self, name: str, more: Mapping[str, Value] | None = None) -> None:
        """Run the step ``name``, with ``more`` values than the target\'s own."""
        self._query(name, more)

    def ask(self, name: str, more: Mapping[str, Value] | None = None) -> dict[str, Any]:
        """Return the row of the question ``name``."""
        return self._query(name, more)[0]

    def _query(self, name: str, more: Mapping[str, Value] | None = None) -> list[dict[str, Any]]:
        return steps.query(self.conn, name, {**self.values, **(more or {})})
