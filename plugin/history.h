/*
 * Whether this server's log is the one that the client has seen: a server that
 * was restored from an older copy has the same identity and goes over the same
 * positions again, with other transactions.
 */
#ifndef SLUICE_HISTORY_H
#define SLUICE_HISTORY_H

#include "postgres.h"

#include "access/xlogdefs.h"

/* SQLSTATEs: another record is at the position; that part of the log has been removed. */
#define HISTORY_ANOTHER MAKE_SQLSTATE('S', 'L', '0', '0', '1')
#define HISTORY_GONE MAKE_SQLSTATE('S', 'L', '0', '0', '2')

/* Raises one of the two unless the transaction's commit record begins at that position of the log. */
void history_check(TransactionId xid, XLogRecPtr commit_lsn);

#endif
