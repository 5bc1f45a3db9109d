#include "retention.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char oldest_sql[] =
	"SELECT who, extract(epoch FROM now() - began) FROM ("
	" SELECT 'process ' || pid || coalesce(' (' || usename || ', ' || datname || ')', '') AS who,"
	"  xact_start AS began FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid()"
	" UNION ALL SELECT 'prepared transaction ' || quote_literal(gid), prepared FROM pg_prepared_xacts) t"
	" WHERE began IS NOT NULL ORDER BY began LIMIT 1";

bool
retention_read_oldest(struct connection *source, struct oldest_transaction *oldest, struct error *err)
{
	struct result *res;

	*oldest = (struct oldest_transaction){0};
	if (!connection_execute(source, oldest_sql, NULL, 0, &res, err))
		return error_context(err, "looking for open transactions");
	if (result_rows(res) > 0) {
		oldest->exists = true;
		snprintf(oldest->who, sizeof oldest->who, "%s", result_text(res, 0, 0));
		oldest->age_s = strtod(result_text(res, 0, 1), NULL);
	}
	result_free(res);
	return true;
}

enum retention
retention_judge(const struct source_slot *slot, int64_t warn_bytes)
{
	if (strcmp(slot->wal_status, "lost") == 0)
		return RETENTION_LOST;
	if (strcmp(slot->wal_status, "unreserved") == 0)
		return RETENTION_ENDANGERED;
	return slot->retained_bytes > warn_bytes ? RETENTION_LARGE : RETENTION_MODEST;
}

void
retention_describe(const struct source_slot *slot, const struct oldest_transaction *oldest, char *out,
				   size_t out_bytes)
{
	char open[352] = "";

	if (oldest->exists)
		snprintf(open, sizeof open, "; the oldest is that of %s, open for %.0f s", oldest->who,
				 oldest->age_s);
	snprintf(out, out_bytes,
			 "holds back %" PRId64
			 " MB of WAL at the source (wal_status %s), more than %s: the destination is"
			 " behind, or a transaction at the source stays open%s",
			 slot->retained_bytes >> 20, slot->wal_status,
			 strcmp(slot->wal_status, "unreserved") == 0
				 ? "max_slot_wal_keep_size, and may be given up at the next checkpoint"
				 : "wal.warn",
			 open);
}
