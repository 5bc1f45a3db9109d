#include "history.h"

#include "access/rmgr.h"
#include "access/xact.h"
#include "access/xlogreader.h"
#include "access/xlogutils.h"

#include "compat.h"

/*
 * Fails instead of waiting for log that is not written yet: at a wrong position a record's length is arbitrary, and the
 * reader uses the length before it verifies the checksum.
 */
static int
read_page(XLogReaderState *reader, XLogRecPtr page, int bytes, XLogRecPtr record, char *out)
{
	if (page + bytes > compat_readable_lsn())
		return -1;
	return read_local_xlog_page(reader, page, bytes, record, out);
}

/* The transaction that the record commits, or none. */
static TransactionId
committed_by(XLogReaderState *reader)
{
	uint8 info = XLogRecGetInfo(reader) & XLOG_XACT_OPMASK;
	xl_xact_parsed_commit parsed;

	if (XLogRecGetRmid(reader) != RM_XACT_ID ||
		(info != XLOG_XACT_COMMIT && info != XLOG_XACT_COMMIT_PREPARED))
		return InvalidTransactionId;
	ParseCommitRecord(XLogRecGetInfo(reader), (xl_xact_commit *) XLogRecGetData(reader), &parsed);
	return TransactionIdIsValid(parsed.twophase_xid) ? parsed.twophase_xid : XLogRecGetXid(reader);
}

/* A missing file of the log becomes the error HISTORY_GONE. */
static XLogRecord *
read_record(XLogReaderState *reader, XLogRecPtr lsn)
{
	MemoryContext before = CurrentMemoryContext;
	XLogRecord *volatile record = NULL;
	char *problem;

	XLogBeginRead(reader, lsn);
	PG_TRY();
	{
		record = XLogReadRecord(reader, &problem);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(before);
		if (geterrcode() != ERRCODE_UNDEFINED_FILE)
			PG_RE_THROW();
		FlushErrorState();
		ereport(ERROR, errcode(HISTORY_GONE),
				errmsg("the log at %X/%X has been removed, so that it is not known which transaction "
					   "committed there",
					   (uint32) (lsn >> 32), (uint32) lsn));
	}
	PG_END_TRY();
	return record;
}

void
history_check(TransactionId xid, XLogRecPtr commit_lsn)
{
	XLogReaderState *reader =
		XLogReaderAllocate(wal_segment_size, NULL,
						   XL_ROUTINE(.page_read = read_page, .segment_open = wal_segment_open,
									  .segment_close = wal_segment_close),
						   NULL);
	TransactionId found = InvalidTransactionId;

	if (!reader)
		ereport(ERROR, errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"));
	if (read_record(reader, commit_lsn))
		found = committed_by(reader);
	XLogReaderFree(reader);
	if (found == xid)
		return;
	ereport(ERROR, errcode(HISTORY_ANOTHER),
			errmsg("transaction %u, which the client has seen, did not commit at %X/%X of this server's log",
				   xid, (uint32) (commit_lsn >> 32), (uint32) commit_lsn),
			errdetail(TransactionIdIsValid(found) ? "Transaction %u did." : "No transaction did.", found),
			errhint("The server was restored from an older copy, or it is another one."));
}
