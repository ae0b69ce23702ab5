#!/bin/sh
# Write the apply of what is staged into a migration file, which is plain SQL:
#
#     examples/pipelines/flyway/print.sh sql/V21__reembed_documents.sql --table documents
#
# DATABASE_URL names a database with the schema as it is before this migration, in which the model is staged.
set -eu

file=$1
shift
vestige-sql migrate sql --plain "$@" > "$file.part"
mv "$file.part" "$file"
