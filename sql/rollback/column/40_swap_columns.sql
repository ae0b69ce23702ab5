-- Let the kept column and the live one change names: what was live is what is kept now.
--
-- Locks:        ACCESS EXCLUSIVE on the target, to the end of the transaction
-- Transaction:  required
-- Rewrites:     nothing
-- Fires:        no triggers
-- Run again:    reversed, they change names back
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table, embedding_column, new_column, kept_column

-- squawk-ignore-file renaming-column -- both names stay, and what is behind them is what this is for
ALTER TABLE :"schema".:"table"
    RENAME COLUMN :"embedding_column" TO :"new_column";

ALTER TABLE :"schema".:"table"
    RENAME COLUMN :"kept_column" TO :"embedding_column";

ALTER TABLE :"schema".:"table"
    RENAME COLUMN :"new_column" TO :"kept_column";
