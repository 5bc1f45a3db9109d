/*
 * What a server's SQLSTATE means for the work: the one table, for both ends and every dialect
 * (https://www.postgresql.org/docs/current/errcodes-appendix.html).  The message text is for people,
 * in whatever language the server speaks.
 */
#ifndef SLUICE_SQLSTATE_H
#define SLUICE_SQLSTATE_H

#include <stdbool.h>

enum sqlstate_class {
	SQLSTATE_RETRY,			/* about the server, the network or the moment: the same may succeed later */
	SQLSTATE_TABLE,			/* about a table: its data, its definition, what is attached to it */
	SQLSTATE_CONFIGURATION, /* about rights, names and settings that a person has to change */
	SQLSTATE_BUG,			/* about what this program has asked */
};

/* `greenplum`: a server of that family.  What the table does not know is SQLSTATE_CONFIGURATION. */
enum sqlstate_class sqlstate_class(const char *sqlstate, bool greenplum);

/*
 * Of those to be tried again: the server answers, and is short of something or hindered, so that trying again at
 * once makes it worse.  False for a connection that is gone or a server that is starting.
 */
bool sqlstate_is_server_trouble(const char *sqlstate);

/* A character that an encoding lacks, or bytes that are no character in it. */
bool sqlstate_is_of_encoding(const char *sqlstate);

/* For documents and tests: the table's prefixes, "" for its end. */
const char *sqlstate_prefix(unsigned index);

/* An internal error; on Greenplum also the loss of a segment at the wrong moment. */
#define SQLSTATE_INTERNAL "XX000"

#endif
