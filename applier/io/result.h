/*
 * What a server answers: rows of text, or an error.
 */
#ifndef SLUICE_RESULT_H
#define SLUICE_RESULT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct result;
struct pg_result; /* libpq's, for the I/O layer alone */

unsigned result_rows(const struct result *res);
/* Never NULL; "" for a NULL. */
const char *result_text(const struct result *res, unsigned row, unsigned column);
bool result_is_null(const struct result *res, unsigned row, unsigned column);
int64_t result_int(const struct result *res, unsigned row, unsigned column);
bool result_bool(const struct result *res, unsigned row, unsigned column);
/* Rows that an INSERT, UPDATE, DELETE or COPY touched. */
int64_t result_affected(const struct result *res);
void result_free(struct result *res);

/* Where a result comes from. */
struct result_origin {
	const char *server;	 /* as messages call it */
	bool greenplum;		 /* a server of that family */
	bool stream;		 /* of a slot, whose errors say by their context where in the log it was */
	const char *copy_in; /* the COPY … FROM STDIN that it answers; NULL: another statement */
};

/*
 * The server's error with its SQLSTATE, detail and hint; ERROR_RETRY where
 * another try, or another session, may succeed (sqlstate.h).  False when the result holds
 * no error of the server: then the connection was lost.
 */
bool result_failure(const struct pg_result *res, const struct result_origin *origin, struct error *err);

/*
 * The number of the row in the last line of a COPY's context, which is the first number behind the table's
 * name in every language: "COPY t2, line 5, column b", "COPY t2, Zeile 5, Spalte b".  0: there is none.
 */
int64_t result_copy_row(const char *context, const char *sql);

#endif
