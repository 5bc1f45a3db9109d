/*
 * What a server's SQLSTATE means for the task, in one table for both servers and every dialect
 * (https://www.postgresql.org/docs/current/errcodes-appendix.html). The message text is never evaluated,
 * since it may be in any language.
 */
#ifndef SLUICE_SQLSTATE_H
#define SLUICE_SQLSTATE_H

#include <stdbool.h>

enum sqlstate_class {
	/* about the server, the network or the moment: the same request may succeed later */
	SQLSTATE_RETRY,
	SQLSTATE_TABLE,			/* about a table: its data, definition, triggers or constraints */
	SQLSTATE_CONFIGURATION, /* about rights, names and settings that a person has to change */
	SQLSTATE_BUG,			/* about a request of this program that should never be sent */
};

/*
 * `greenplum`: the server is Greenplum or a relative. A code that the table lacks is
 * SQLSTATE_CONFIGURATION.
 */
enum sqlstate_class sqlstate_class(const char *sqlstate, bool greenplum);

/*
 * For a SQLSTATE_RETRY: whether the server answers but lacks resources or is hindered, so that an
 * immediate retry makes it worse. False for a lost connection or a server that is starting.
 */
bool sqlstate_is_server_trouble(const char *sqlstate);

/* Whether Greenplum has this SQLSTATE both for a segment that was lost and for what is wrong with a table. */
bool sqlstate_is_ambiguous(const char *sqlstate);

/* Whether the cause is a character that an encoding lacks, or bytes that are invalid in it. */
bool sqlstate_is_of_encoding(const char *sqlstate);

/* For documents and tests: the table's prefixes; "" after the last one. */
const char *sqlstate_prefix(unsigned index);

/* An internal error; on Greenplum also raised if a segment is lost at a certain moment. */
#define SQLSTATE_INTERNAL "XX000"
/* An undefined table; on Greenplum also a temporary one, on a segment that has lost the session's process. */
#define SQLSTATE_UNDEFINED_TABLE "42P01"

#endif
