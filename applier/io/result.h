/* A server's answer: rows of text, or an error. */
#ifndef SLUICE_RESULT_H
#define SLUICE_RESULT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct result;
struct pg_result; /* of libpq; only for the I/O layer */

unsigned result_rows(const struct result *res);
/* Never NULL; "" for an SQL NULL. */
const char *result_text(const struct result *res, unsigned row, unsigned column);
bool result_is_null(const struct result *res, unsigned row, unsigned column);
int64_t result_int(const struct result *res, unsigned row, unsigned column);
bool result_bool(const struct result *res, unsigned row, unsigned column);
/* Number of rows that an INSERT, UPDATE, DELETE or COPY affected. */
int64_t result_affected(const struct result *res);
void result_free(struct result *res);

/* Which connection and statement a result belongs to. */
struct result_origin {
	const char *server;	 /* the server's name in messages */
	bool greenplum;		 /* the server is Greenplum or a relative */
	bool stream;		 /* a replication stream, whose errors name the LSN in their context */
	const char *copy_in; /* the COPY … FROM STDIN statement; NULL: another statement */
};

/*
 * The server's error with SQLSTATE, detail and hint; ERROR_RETRY if another try or another session may
 * succeed (sqlstate.h). False if the result contains no error of the server: then the connection was lost.
 */
bool result_failure(const struct pg_result *res, const struct result_origin *origin, struct error *err);

/*
 * The row number in the last line of a COPY's context. In every language it is the first number after the
 * table's name: "COPY t2, line 5, column b", "COPY t2, Zeile 5, Spalte b". 0: none.
 */
int64_t result_copy_row(const char *context, const char *sql);

#endif
