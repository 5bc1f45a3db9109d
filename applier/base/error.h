/*
 * How failures are reported throughout the applier.
 *
 * A function that can fail returns bool and takes a struct error as its last argument: true is success; on
 * false the struct says why. The innermost function sets class and message; its callers may prepend
 * context ("merging into dw.orders"). A function never logs an error that it returns: the caller that
 * decides what happens next logs it, once.
 *
 * Messages follow PostgreSQL's style: lower case, no full stop. The hint says what the user can do, and is
 * a sentence.
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
	ERROR_RESTART,		/* planned: the next attempt follows at once and acts on what this one found */
	ERROR_REFUSED,		/* the server refuses the login or session, until a person changes something */
	ERROR_CONFIG,		/* the configuration or the command line: exit status 2 */
	ERROR_PRECONDITION, /* a precheck failed: exit status 3 */
	ERROR_DATA,			/* the data or a server's state: exit status 1 */
	ERROR_REPLACED,		/* another daemon has the task: exit status 1 */
	ERROR_BUG,			/* an error of this program: something happened that should be impossible */
	ERROR_STOPPED,		/* the user asked to stop before the work was done */
	ERROR_DIFFERENT,	/* compare found a difference: exit status 4 */
};

#define ERROR_MESSAGE_MAX 2048
#define ERROR_HINT_MAX 1024
#define ERROR_ROW_MAX 256
#define ERROR_NAME_MAX 256

struct error {
	enum error_class class;
	char sqlstate[6];			 /* from the server, or empty */
	int64_t copy_row;			 /* the row of a COPY that the server refused, counted from 1; 0: unknown */
	char row[ERROR_ROW_MAX];	 /* key of the row that the error is about, or empty */
	char schema[ERROR_NAME_MAX]; /* of the table that the server names, or empty */
	char table[ERROR_NAME_MAX];	 /* name of that table, or empty */
	/* the table at the source that the error is about, schema.table; or empty */
	char about[2 * ERROR_NAME_MAX];
	uint64_t lsn; /* of the transaction, or the end of the batch; 0: unknown */
	char message[ERROR_MESSAGE_MAX];
	char hint[ERROR_HINT_MAX];
};

void error_clear(struct error *err);

/*
 * Sets class and message, and clears all other fields. Always returns false, so that a function can end
 * with `return error_set(err, ...)`.
 */
bool error_set(struct error *err, enum error_class class, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Sets the hint; always returns false. */
bool error_hint(struct error *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/*
 * Prepends "context: " to the message; always returns false. A message that becomes too long is cut at the
 * end, between two characters.
 */
bool error_context(struct error *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Sets `row` to the key and prepends it as context; always returns false. */
bool error_row(struct error *err, const char *key, int key_bytes);

/*
 * Set the source table and the LSN for logs with fields; an earlier value stays. The message should name
 * them, too.
 */
void error_about_table(struct error *err, const char *schema, const char *name);
bool error_is_about_table(const struct error *err, const char *schema, const char *name);
void error_about_lsn(struct error *err, uint64_t lsn);

/*
 * Writes "message; hint" as one line: control characters become blanks, and the hint begins with a lower
 * case letter unless its first word is a name.
 */
void error_sentence(const struct error *err, char *out, int out_bytes);
/* The same without the final full stop, for use within a sentence. */
void error_clause(const struct error *err, char *out, int out_bytes);

/* The exit status for an error (see error_class). */
int error_exit_status(const struct error *err);

/* The ending of an English plural in a message: "%u table%s", n, plural(n). */
static inline const char *
plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

#endif
