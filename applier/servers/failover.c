#include "failover.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/sql.h"
#include "lsn.h"
#include "server_session.h"
#include "source.h"
#include "state/progress.h"

bool
failover_mark_slot(struct connection *replication, const struct config *config, struct error *err)
{
	struct buffer sql;
	bool ok;

	if (!config->source.failover)
		return true;
	memory_buffer_init(&sql);
	buffer_printf(&sql, "ALTER_REPLICATION_SLOT ");
	sql_identifier(&sql, config->source.slot);
	buffer_printf(&sql, " (FAILOVER true)");
	buffer_put_u8(&sql, '\0');
	ok = connection_execute(replication, (const char *) sql.data, NULL, 0, NULL, err);
	buffer_fini(&sql);
	return ok || error_context(err, "marking slot %s for failover", config->source.slot);
}

/* ---- timelines */

bool
failover_find_switch(const char *history, int64_t former, uint64_t *lsn)
{
	for (const char *line = history; *line;) {
		const char *end = strchr(line, '\n');
		char *at;
		int64_t timeline = strtoll(line, &at, 10);
		char text[LSN_TEXT_BYTES];

		if (at > line && timeline == former && sscanf(at, "%17s", text) == 1)
			return lsn_parse(text, lsn);
		if (!end)
			break;
		line = end + 1;
	}
	return false;
}

static bool
read_history(struct loop *loop, const struct config *config, int64_t timeline, struct result **res,
			 struct error *err)
{
	struct connection *conn = server_session_replication(loop, config, "sluice", err);
	char sql[48];
	bool ok;

	snprintf(sql, sizeof sql, "TIMELINE_HISTORY %" PRId64, timeline);
	ok = conn && connection_execute(conn, sql, NULL, 0, res, err);
	connection_close(conn);
	return ok || error_context(err, "asking for the history of timeline %" PRId64, timeline);
}

static void
follow(struct progress *progress, int64_t timeline, const char *history)
{
	char text[LSN_TEXT_BYTES];
	uint64_t left;

	if (!failover_find_switch(history, progress->source_timeline, &left) || left < progress->applied_lsn)
		return;
	log_info("the source went from timeline %" PRId64 " to %" PRId64 " at %s, behind what was applied",
			 progress->source_timeline, timeline, lsn_format(left, text));
	progress->source_timeline = timeline;
}

bool
failover_follow(struct loop *loop, const struct config *config, struct connection *source,
				struct progress *progress, struct error *err)
{
	struct source_identity identity;
	struct result *res = NULL;

	if (!config->source.failover || !progress->exists || progress->applied_lsn == 0)
		return true;
	if (!source_identify(source, &identity, err))
		return false;
	if (identity.timeline <= progress->source_timeline ||
		strcmp(identity.system, progress->source_system) != 0)
		return true;
	if (!read_history(loop, config, identity.timeline, &res, err))
		return false;
	follow(progress, identity.timeline, result_text(res, 0, 1));
	result_free(res);
	return true;
}
