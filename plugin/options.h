/*
 * The options a client gives with START_REPLICATION, pg_recvlogical -o or the
 * SQL functions; docs/plugin.md is their reference.
 */
#ifndef SLUICE_OPTIONS_H
#define SLUICE_OPTIONS_H

#include "postgres.h"

#include "access/xlogdefs.h"
#include "nodes/pg_list.h"

#include "common/change.h"
#include "common/pattern.h"

enum operation {
	OPERATION_INSERT = 0x01,
	OPERATION_UPDATE = 0x02,
	OPERATION_DELETE = 0x04,
	OPERATION_TRUNCATE = 0x08,
	OPERATION_ALL = 0x0f,
};

#define OPTIONS_MAX 12

struct options {
	bool text;					/* format=text */
	bool lz4;					/* compression=lz4 */
	bool streaming;				/* changes of transactions in progress */
	bool messages;				/* pg_logical_emit_message() */
	bool definitions;			/* send changed definitions of tables, even without a changed row */
	TransactionId seen_xid;		/* the last transaction that the client has seen; none: not checked */
	XLogRecPtr seen_commit;		/* where its commit record begins */
	unsigned operations;		/* of enum operation */
	struct pattern_list tables; /* empty: all */
	struct pattern_list exclude_tables;
	struct pattern_list text_tables;
	/* Tables with a condition on their rows; the condition, a char *, is at the same position in the list. */
	struct pattern_list filtered;
	List *conditions;
	/* The values in effect, for the startup message; without format and
	 * protocol, which its reader knows. */
	struct change_option effective[OPTIONS_MAX];
	unsigned effective_count;
};

/*
 * Reads a list of DefElem; an unknown option or value is an ereport.  Strings
 * are allocated in `context`, at whose reset the patterns go as well.
 */
void options_parse(struct options *options, List *given, MemoryContext context);

/* Whether an ordinary table or a partitioned root is selected. */
bool options_select(const struct options *options, const char *schema, const char *table);

/* The condition on the table's rows; NULL: all are sent. */
const char *options_filter(const struct options *options, const char *schema, const char *table);

/* Whether a partition is sent as a table of its own: only patterns without wildcards select one. */
bool options_select_partition(const struct options *options, const char *schema, const char *table);

#endif
