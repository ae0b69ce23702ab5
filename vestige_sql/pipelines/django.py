"""An operation for Django's migrations.

operations = [Reembed("document", "embedding", VectorField(dimensions=768, null=True), LOCK)]
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.models import Field

from vestige_sql.errors import UsageError
from vestige_sql.pipelines.lock import apply_lock, read_lock
from vestige_sql.plan import ReembedPlan


class Reembed(Operation):  # type: ignore[misc]  # Django has no types
    """Puts staged vectors in place in a model's column, and tells Django of its new dimension.

    ``model_name`` and ``name`` are the model and its field, ``field`` is the field as it is afterwards. ``lock`` is the
    file that ``vestige-sql migrate stage .. --lock LOCK`` wrote. Backwards, it puts the former model's vectors in
    place, which have to be staged too. A table without text needs nothing staged. The table, its primary key and the
    column are the model's own; the content column is the lock's.

    Raises :class:`UsageError` where ``field`` has another dimension than the lock's model, and what
    :func:`vestige_sql.apply_reembed` raises.
    """

    # Its statements depend on the table: sqlmigrate says so by itself.
    reduces_to_sql = False
    reversible = True

    def __init__(
        self,
        model_name: str,
        name: str,
        field: Field[Any, Any],
        lock: Path | str,
        plan: ReembedPlan = ReembedPlan(),  # noqa: B008
    ) -> None:
        self.model_name = model_name
        self.name = name
        self.field = field
        self.lock = lock
        self.plan = plan

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        state.alter_field(app_label, self.model_name.lower(), self.name, self.field, preserve_default=True)

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        dimension, wanted = getattr(self.field, "dimensions", None), read_lock(self.lock).model.dimension
        if dimension != wanted:
            raise UsageError(
                f"{self.model_name}.{self.name} is to have {dimension} dimensions, and the lock file {self.lock} is of "
                f"a model with {wanted}",
                f"nothing was written; write VectorField(dimensions={wanted}) in the operation and in the model",
            )
        self._apply(app_label, schema_editor, to_state, back=False)

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        self._apply(app_label, schema_editor, to_state, back=True)

    def _apply(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, state: ProjectState, *, back: bool
    ) -> None:
        model = state.apps.get_model(app_label, self.model_name)
        if not self.allow_migrate_model(schema_editor.connection.alias, model):
            return
        options = model._meta
        # pk_fields is there from Django 5.2 on, which has keys of several columns.
        key = [field.column for field in getattr(options, "pk_fields", None) or [options.pk]]
        columns = {
            "id_column": key[0] if len(key) == 1 else key,
            "embedding_column": options.get_field(self.name).column,
        }
        table = schema_editor.quote_name(options.db_table)
        schema_editor.connection.ensure_connection()
        apply_lock(schema_editor.connection.connection, table, self.lock, back=back, plan=self.plan, columns=columns)

    def describe(self) -> str:
        return f"Put the staged vectors of {self.lock} in place in {self.name} of {self.model_name}"

    @property
    def migration_name_fragment(self) -> str:
        return f"reembed_{self.model_name.lower()}"
