/*
 * The one way in which a failure travels through the applier.
 *
 * A function that can fail returns bool and takes a struct error as its last
 * argument: true is success, false means the struct says why.  The innermost
 * function sets class and message; callers on the way up may prepend context
 * ("merging into dw.orders").  A function never logs what it returns: the place that
 * decides what happens next logs it, once.
 *
 * Messages follow PostgreSQL's style: lower case, no full stop; the hint is
 * what the user can do and is a sentence.
 */
#ifndef SLUICE_ERROR_H
#define SLUICE_ERROR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

enum error_class {
	ERROR_NONE,			/* no error has been set */
	ERROR_RETRY,		/* a lost connection, a busy slot: trying again may help */
	ERROR_RESTART,		/* planned: the next attempt carries out what this one found, at once */
	ERROR_REFUSED,		/* a login or session that the server refuses: for a person to change */
	ERROR_CONFIG,		/* the configuration or the command line: exit status 2 */
	ERROR_PRECONDITION, /* a precheck failed: exit status 3 */
	ERROR_DATA,			/* the data or a server's state: exit status 1 */
	ERROR_BUG,			/* something this program believed impossible */
	ERROR_STOPPED,		/* the user asked to stop before the work was done */
	ERROR_DIFFERENT,	/* compare found a difference: exit status 4 */
};

#define ERROR_MESSAGE_MAX 2048
#define ERROR_HINT_MAX 1024
#define ERROR_ROW_MAX 256
#define ERROR_NAME_MAX 256

struct error {
	enum error_class class;
	char sqlstate[6]; /* from the server, or empty */
	int64_t copy_row; /* of the rows of a COPY the one that the server refuses, from 1; 0: it names none */
	char row[ERROR_ROW_MAX];		/* the key of the row that it is about, or empty */
	char schema[ERROR_NAME_MAX];	/* of the table that the server names, or empty */
	char table[ERROR_NAME_MAX];		/* likewise */
	char about[2 * ERROR_NAME_MAX]; /* the source's table that it is about, schema.table; or empty */
	uint64_t lsn;					/* of the transaction or the batch's end; 0: none */
	char message[ERROR_MESSAGE_MAX];
	char hint[ERROR_HINT_MAX];
};

void error_clear(struct error *err);

/* Sets class and message, clears hint and SQLSTATE.  Always returns false, so
 * that a function can say `return error_set(err, ...)`. */
bool error_set(struct error *err, enum error_class class, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Sets the hint; returns false for the same reason. */
bool error_hint(struct error *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Prepends "context: " to the message; returns false.  A message that gets too
 * long loses its end, always between two characters. */
bool error_context(struct error *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Says which row it is about, by its key: context, and `row`.  Returns false. */
bool error_row(struct error *err, const char *key, int key_bytes);

/* For logs in fields: which of the source's tables it is about, and where in the source's log; what was said first
 * stands.  The message is to say it, too. */
void error_about_table(struct error *err, const char *schema, const char *name);
void error_about_lsn(struct error *err, uint64_t lsn);

/* Writes "message; hint" as one line: control characters become blanks, and
 * the hint's first word begins small unless it is a name. */
void error_sentence(const struct error *err, char *out, int out_bytes);
/* The same without a full stop at its end, where something follows. */
void error_clause(const struct error *err, char *out, int out_bytes);

/* The exit status for an error (see error_class). */
int error_exit_status(const struct error *err);

/* What makes an English noun plural in a message: "%u table%s", n, plural(n). */
static inline const char *
plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

#endif
