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

/*
 * The server's error with its SQLSTATE, detail and hint; ERROR_RETRY where
 * another try, or another session, may succeed.  False when the result holds
 * no error of the server: then the connection was lost.
 */
bool result_failure(const struct pg_result *res, const char *server, struct error *err);

#endif
