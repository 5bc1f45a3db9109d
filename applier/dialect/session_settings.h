/* The settings that every session sets before it resolves a name: all that change how SQL text or values are read or
 * written, which rows a query sees, or when the server ends a session by itself. They override what a role or database
 * has set (ALTER ROLE … SET). */
#ifndef SLUICE_SESSION_SETTINGS_H
#define SLUICE_SESSION_SETTINGS_H

#include <stdbool.h>

#include "buffer.h"

enum session_end {
	SESSION_SOURCE = 1, /* also for the sessions of the walsender */
	SESSION_DESTINATION = 2,
};

/* The first statement of a session: a role's statement_timeout may be too short for the next one. */
#define SESSION_SETTINGS_FIRST "SET statement_timeout = 0"

/*
 * The second statement: a single command, since a walsender accepts no more.  It means the same for any search path and
 * any standard_conforming_strings.  It skips the settings that this server lacks or that this user may not set.
 */
void session_settings_put(struct buffer *sql, enum session_end end, int server_version);

/* The same for one setting, by its position: for a server that refuses a setting although it says that this user may
 * set it. False: that setting is not for this end and server, and the buffer has no use. */
bool session_settings_put_single(struct buffer *sql, unsigned place, enum session_end end,
								 int server_version);
/* The name of a setting; NULL: after the last one. */
const char *session_settings_name(unsigned place);
/* Whether a session can go on without the setting: it is then slower, or ends by the server's rules, but reads and
 * writes the same. */
bool session_settings_is_optional(unsigned place);

/* A condition that is true where this user may set the named superuser parameter. It is checked first, since a
 * refused SET writes a line into the server's log. */
void session_settings_put_may_set(struct buffer *sql, const char *name, int server_version);

#endif
