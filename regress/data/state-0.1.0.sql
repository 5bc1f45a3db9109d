-- What version 0.1.0 of the program left in the schema sluice of a destination, as pg_dump wrote it: one table in each
-- state.  OIDs, versions (xmin) and LSNs are the source's, so NAME:oid, NAME:xmin and :lsn, :system stand in their place.
CREATE SCHEMA sluice;
CREATE TABLE sluice.progress (
    task text NOT NULL,
    slot text NOT NULL,
    applied_lsn pg_lsn NOT NULL,
    slot_lsn pg_lsn NOT NULL,
    source_system text NOT NULL,
    source_timeline bigint NOT NULL,
    source_database text NOT NULL,
    epoch bigint NOT NULL,
    phase text NOT NULL,
    last_error text,
    applied_commit_time timestamp with time zone,
    updated_at timestamp with time zone NOT NULL
);
CREATE TABLE sluice.selection (
    task text NOT NULL,
    source_schema text NOT NULL,
    source_name text NOT NULL,
    added boolean NOT NULL
);
CREATE TABLE sluice.tables (
    task text NOT NULL,
    source_schema text NOT NULL,
    source_name text NOT NULL,
    source_oid bigint NOT NULL,
    target_schema text NOT NULL,
    target_name text NOT NULL,
    state text NOT NULL,
    snapshot_lsn pg_lsn NOT NULL,
    rows_copied bigint NOT NULL,
    error text,
    rebuild text,
    definition text,
    selection text
);
CREATE TABLE sluice.unfinished (
    target bigint NOT NULL,
    step integer NOT NULL,
    statement text NOT NULL
);
INSERT INTO sluice.progress (task, slot, applied_lsn, slot_lsn, source_system, source_timeline, source_database, epoch, phase, last_error, applied_commit_time, updated_at) VALUES ('test', 'sluice_test', ':lsn', ':lsn', ':system', 1, 'shop', 6, 'failed', 'copying public.parts: COPY parts, line 268: destination: new row for relation "parts" violates check constraint "parts_v_check" (Failing row contains (1, hold).); alter public.parts so that it takes the value, then start again: it goes on from where it stopped.', '2026-11-30 01:48:51.139225+00', '2026-11-30 01:48:52.775173+00');
INSERT INTO sluice.tables (task, source_schema, source_name, source_oid, target_schema, target_name, state, snapshot_lsn, rows_copied, error, rebuild, definition, selection) VALUES ('test', 'public', 'plain', plain:oid, 'public', 'plain', 'streaming', ':lsn', 10, NULL, NULL, '1 d plain:oid
1 23 -1 n- 1 0 1 plain:xmin id
2 25 -1 - 0 0 0 plain:xmin v', 'all');
INSERT INTO sluice.tables (task, source_schema, source_name, source_oid, target_schema, target_name, state, snapshot_lsn, rows_copied, error, rebuild, definition, selection) VALUES ('test', 'public', 'stopped', stopped:oid, 'public', 'stopped', 'held', ':lsn', 10, 'its definition changed, and schema.changes is stop: do what it needs: ALTER TABLE "public"."stopped" ADD COLUMN "w" integer; when the target public.stopped fits, the table is copied anew by itself', NULL, '1 d stopped:oid
1 23 -1 n- 1 0 1 stopped:xmin id
2 25 -1 - 0 0 0 stopped:xmin v', 'all');
INSERT INTO sluice.tables (task, source_schema, source_name, source_oid, target_schema, target_name, state, snapshot_lsn, rows_copied, error, rebuild, definition, selection) VALUES ('test', 'public', 'refused', refused:oid, 'public', 'refused', 'held', ':lsn', 10, 'copying public.refused: COPY refused, line 5: destination: new row for relation "refused" violates check constraint "refused_id_check" (Failing row contains (5, row 5).); mend that, then "sluice table resync public.refused" copies it anew', '', '1 d refused:oid
1 23 -1 n- 1 0 1 refused:xmin id
2 25 -1 - 0 0 0 refused:xmin v', 'all');
INSERT INTO sluice.tables (task, source_schema, source_name, source_oid, target_schema, target_name, state, snapshot_lsn, rows_copied, error, rebuild, definition, selection) VALUES ('test', 'public', 'parts', parts:oid, 'public', 'parts', 'copying', ':lsn', 0, NULL, '', NULL, 'all');
INSERT INTO sluice.tables (task, source_schema, source_name, source_oid, target_schema, target_name, state, snapshot_lsn, rows_copied, error, rebuild, definition, selection) VALUES ('test', 'public', 'background', background:oid, 'public', 'background', 'catching_up', ':lsn', 10, NULL, '', '1 d background:oid
1 23 -1 n- 1 0 1 background:xmin id
2 25 -1 - 0 0 0 background:xmin v', 'all');
INSERT INTO sluice.tables (task, source_schema, source_name, source_oid, target_schema, target_name, state, snapshot_lsn, rows_copied, error, rebuild, definition, selection) VALUES ('test', 'public', 'behind', behind:oid, 'public', 'behind', 'catching_up', ':lsn', 10, NULL, NULL, '1 d behind:oid
1 23 -1 n- 1 0 1 behind:xmin id
2 25 -1 - 0 0 0 behind:xmin v', 'all');
INSERT INTO sluice.tables (task, source_schema, source_name, source_oid, target_schema, target_name, state, snapshot_lsn, rows_copied, error, rebuild, definition, selection) VALUES ('test', 'public', 'again', again:oid, 'public', 'again', 'waiting', ':lsn', 10, NULL, '', '1 d again:oid
1 23 -1 n- 1 0 1 again:xmin id
2 25 -1 - 0 0 0 again:xmin v', 'all');
INSERT INTO sluice.tables (task, source_schema, source_name, source_oid, target_schema, target_name, state, snapshot_lsn, rows_copied, error, rebuild, definition, selection) VALUES ('test', 'public', 'first', first:oid, 'public', 'first', 'waiting', '0/0', 0, NULL, NULL, NULL, 'all');
INSERT INTO sluice.tables (task, source_schema, source_name, source_oid, target_schema, target_name, state, snapshot_lsn, rows_copied, error, rebuild, definition, selection) VALUES ('test', 'public', 'doubled', doubled:oid, 'public', 'doubled', 'streaming', ':lsn', 10, NULL, NULL, '1 d doubled:oid
1 23 -1 n- 1 0 1 doubled:xmin id
2 25 -1 - 0 0 0 doubled:xmin v', 'all');
INSERT INTO sluice.tables (task, source_schema, source_name, source_oid, target_schema, target_name, state, snapshot_lsn, rows_copied, error, rebuild, definition, selection) VALUES ('test', 'public', 'gone', gone:oid, 'public', 'gone', 'streaming', ':lsn', 10, NULL, NULL, '1 d gone:oid
1 23 -1 n- 1 0 1 gone:xmin id
2 25 -1 - 0 0 0 gone:xmin v', 'all');
ALTER TABLE ONLY sluice.progress
    ADD CONSTRAINT progress_pkey PRIMARY KEY (task);
ALTER TABLE ONLY sluice.selection
    ADD CONSTRAINT selection_pkey PRIMARY KEY (task, source_schema, source_name);
ALTER TABLE ONLY sluice.tables
    ADD CONSTRAINT tables_pkey PRIMARY KEY (task, source_schema, source_name);
ALTER TABLE ONLY sluice.unfinished
    ADD CONSTRAINT unfinished_pkey PRIMARY KEY (target, step);
