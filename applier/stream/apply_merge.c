/*
 * Sends the requests of a batch: the steps of its order, then the position.
 */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "apply_parts.h"
#include "base/memory.h"
#include "base/sql.h"
#include "lsn.h"
#include "state/progress.h"
#include "state/state_targets.h"

#define COPY_PIECE_BYTES ((size_t) 64 * 1024)
#define SECONDS_1970_TO_2000 946684800

/* ---- merging */

void
apply_begin_merging(struct apply *apply)
{
	apply_enter(apply, APPLY_MERGING);
	batch_order_init(&apply->order, apply->batch, apply->dialect, apply->manner, &apply->stagings);
}

static enum copy_next
produce_rows(void *arg, struct buffer *out)
{
	struct merge_step *step = arg;
	bool more = copy_walk_next(&step->walk, out, COPY_PIECE_BYTES);

	if (step->walk.broken)
		return COPY_ABORT;
	return more ? COPY_MORE : COPY_END;
}

/* Records the new files of targets that were truncated: a file that is not on record means that somebody else emptied
 * the target. */
static void
note_files(struct apply *apply)
{
	const struct batch *batch = apply->batch;

	for (unsigned i = 0; i < batch->net_count; i++) {
		struct buffer sql;

		if (!batch->nets[i]->truncated || batch->nets[i]->left_out)
			continue;
		sql_init(&sql);
		state_targets_put_file(&sql, batch->nets[i]->shape->table->target.oid);
		apply_query(apply, sql_text(&sql));
		buffer_fini(&sql);
	}
}

static void
execute(struct apply *apply, struct merge_step *step)
{
	struct apply_request *request = apply_add_request(apply);

	request->step = step;
	switch (step->kind) {
	case MERGE_STATEMENT:
		connection_query(apply->conn, step->sql, NULL, 0, apply_on_answer, request);
		break;
	case MERGE_TRUNCATE:
		connection_query(apply->conn, step->sql, NULL, 0, apply_on_answer, request);
		note_files(apply);
		break;
	case MERGE_PREPARED:
		connection_query_prepared(apply->conn, step->name, step->sql, step->params, step->param_count,
								  apply_on_answer, request);
		break;
	case MERGE_COPY:
		connection_copy_in(apply->conn, step->sql, produce_rows, step, apply_on_answer, request);
		break;
	}
}

bool
apply_ask_step(struct apply *apply)
{
	struct merge_step *step;
	struct error err;

	if (!batch_order_next(&apply->order, &step, &err)) {
		apply_fail(apply, &(struct apply_request){.phase = apply->phase}, &err);
		return false;
	}
	if (step)
		execute(apply, step);
	else
		apply_enter(apply, APPLY_HOLDING);
	return true;
}

void
apply_drop_stagings(struct apply *apply)
{
	struct buffer sql;

	memory_buffer_init(&sql);
	if (stagings_put_drop(&apply->stagings, batch_clock_us() / 1000000, &sql)) {
		buffer_put_u8(&sql, '\0');
		apply_query(apply, (const char *) sql.data);
	}
	buffer_fini(&sql);
}

/* ---- the position */

/* A timestamptz as text; NULL: the time is not known. */
static const char *
format_time(int64_t microseconds, char *out, size_t out_bytes)
{
	time_t seconds = (time_t) (microseconds / 1000000 + SECONDS_1970_TO_2000);
	struct tm tm;
	size_t len;

	if (microseconds == 0 || !gmtime_r(&seconds, &tm))
		return NULL;
	len = strftime(out, out_bytes, "%Y-%m-%d %H:%M:%S", &tm);
	snprintf(out + len, out_bytes - len, ".%06d+00", (int) (microseconds % 1000000));
	return out;
}

void
apply_write_position(struct apply *apply)
{
	const struct batch *batch = apply->batch;
	char lsn[LSN_TEXT_BYTES], commit_lsn[LSN_TEXT_BYTES];
	char time[64], xid[16];
	struct param params[] = {
		param_text(lsn_format(batch->end_lsn, lsn)),
		param_text(format_time(batch->commit_time, time, sizeof time)),
		param_text(apply->task),
		param_text(apply->epoch),
		param_text(batch->last_xid ? xid : NULL),
		param_text(batch->last_xid ? lsn_format(batch->last_commit_lsn, commit_lsn) : NULL),
	};

	snprintf(xid, sizeof xid, "%" PRIu32, batch->last_xid);
	connection_query_prepared(apply->conn, "sluice_progress", progress_advance_sql(), params, 6,
							  apply_on_answer, apply_add_request(apply));
}
