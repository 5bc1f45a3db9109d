/*
 * What differs between PostgreSQL 13 and 19.  Nothing else tests PG_VERSION_NUM.
 */
#ifndef SLUICE_COMPAT_H
#define SLUICE_COMPAT_H

#include "postgres.h"

#include "access/attmap.h"
#include "access/transam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "parser/parser.h"
#include "replication/logical.h"
#include "replication/output_plugin.h"
#include "replication/reorderbuffer.h"

#if PG_VERSION_NUM >= 150000
#include "access/xlogrecovery.h"
#endif

#if PG_VERSION_NUM < 130000
#error "sluice needs PostgreSQL 13 or later"
#endif

/* PostgreSQL 14 renamed the macros of these OIDs. */
#if PG_VERSION_NUM < 140000
#define PG_NODE_TREEOID PGNODETREEOID
#define PG_NDISTINCTOID PGNDISTINCTOID
#define PG_DEPENDENCIESOID PGDEPENDENCIESOID
#define PG_MCV_LISTOID PGMCVLISTOID
#endif

static inline List *
compat_raw_parser(const char *text)
{
#if PG_VERSION_NUM >= 140000
	return raw_parser(text, RAW_PARSE_DEFAULT);
#else
	return raw_parser(text);
#endif
}

/* A change's tuple or NULL; up to PostgreSQL 16 it is in a ReorderBufferTupleBuf. */
#if PG_VERSION_NUM >= 170000
#define compat_tuple(wrapped) (wrapped)
#else
#define compat_tuple(wrapped) ((wrapped) ? &(wrapped)->tuple : NULL)
#endif

#if PG_VERSION_NUM >= 150000 && PG_VERSION_NUM < 190000
#define compat_commit_time(txn) ((txn)->xact_time.commit_time)
#else
#define compat_commit_time(txn) ((txn)->commit_time)
#endif

/* The end of the log that can be read. */
static inline XLogRecPtr
compat_readable_lsn(void)
{
	if (RecoveryInProgress())
		return GetXLogReplayRecPtr(NULL);
#if PG_VERSION_NUM >= 150000
	return GetFlushRecPtr(NULL);
#else
	return GetFlushRecPtr();
#endif
}

/* Tells the server how far decoding has come when nothing is written. */
static inline void
compat_update_progress(LogicalDecodingContext *ctx, bool skipped_transaction)
{
#if PG_VERSION_NUM >= 150000
	OutputPluginUpdateProgress(ctx, skipped_transaction);
#else
	(void) skipped_transaction;
	OutputPluginUpdateProgress(ctx);
#endif
}

/* Some versions mark only the subtransaction that changed a catalog, and not the transaction itself. */
#define compat_changed_catalogs(txn) (rbtxn_has_catalog_changes(txn) || (txn)->ninvalidations > 0)

/* PostgreSQL 14 and later can send changes of transactions in progress. */
#define COMPAT_STREAMING (PG_VERSION_NUM >= 140000)

#if COMPAT_STREAMING
/* The (sub)transaction whose change is being decoded, while it is in progress. */
#define compat_change_owner(top) (TransactionIdIsValid(CheckXidAlive) ? CheckXidAlive : (top)->xid)

/* output_plugin_private of a streamed transaction serves as a flag: the client has been sent a part of it. */
#define compat_set_known(txn) ((txn)->output_plugin_private = (txn))
#define compat_is_known(txn) ((txn)->output_plugin_private != NULL)
#else
#define compat_change_owner(top) ((top)->xid)
#define compat_set_known(txn) ((void) (txn))
#endif

/* From PostgreSQL 16 on the server itself reports progress in the middle of a transaction. */
#define COMPAT_PLUGIN_KEEPS_ALIVE (PG_VERSION_NUM < 160000)

/* Calls a conversion between encodings; false: the other encoding lacks a character of the text. */
static inline bool
compat_convert(FmgrInfo *function, int from, int to, const char *text, int len, char *out)
{
#if PG_VERSION_NUM >= 140000
	return DatumGetInt32(FunctionCall6(function, Int32GetDatum(from), Int32GetDatum(to),
									   CStringGetDatum(text), CStringGetDatum(out), Int32GetDatum(len),
									   BoolGetDatum(true))) == len;
#else
	MemoryContext before = CurrentMemoryContext;
	volatile bool whole = true;

	PG_TRY();
	{
		(void) FunctionCall5(function, Int32GetDatum(from), Int32GetDatum(to), CStringGetDatum(text),
							 CStringGetDatum(out), Int32GetDatum(len));
	}
	PG_CATCH();
	{
		int sqlstate = geterrcode();

		if (sqlstate != ERRCODE_UNTRANSLATABLE_CHARACTER && sqlstate != ERRCODE_CHARACTER_NOT_IN_REPERTOIRE)
			PG_RE_THROW();
		MemoryContextSwitchTo(before);
		FlushErrorState();
		whole = false;
	}
	PG_END_TRY();
	return whole;
#endif
}

static inline AttrMap *
compat_map_by_name(TupleDesc from, TupleDesc to)
{
#if PG_VERSION_NUM >= 160000
	return build_attrmap_by_name(from, to, false);
#else
	return build_attrmap_by_name(from, to);
#endif
}

/* A generated column without a stored value. */
static inline bool
compat_is_virtual(Form_pg_attribute att)
{
#if PG_VERSION_NUM >= 180000
	return att->attgenerated == ATTRIBUTE_GENERATED_VIRTUAL;
#else
	(void) att;
	return false;
#endif
}

#endif
