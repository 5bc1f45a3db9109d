/*
 * Runs a history on a real server: makes its tables, executes its merges, reads the rows back.
 */
#ifndef SLUICE_SERVER_H
#define SLUICE_SERVER_H

#include "history.h"

struct server;

/* NULL with `problem` if the server cannot be reached. */
struct server *server_open(const char *conninfo, char problem[512]);
void server_close(struct server *server);

const struct dialect *server_dialect(const struct server *server);

/* Makes the history's tables, with the rows of its targets; drops those of an earlier history. */
bool server_create(struct server *server, struct history *h);
/* Executes one step of a plan; `copied` is the data of a COPY. */
bool server_execute(struct server *server, const struct merge_step *step, struct bytes copied,
					int64_t *affected);
bool server_begin(struct server *server);
bool server_commit(struct server *server);
/* Reads the table's rows into a table in the history's arena. */
struct minisql_table *server_read(struct server *server, struct history *h, const struct world_table *t);
/* Replaces the rows of the table by those of `t->target`, which others are supposed to have written. */
bool server_fill(struct server *server, struct history *h, const struct world_table *t);

/* Why the last call failed. */
const char *server_problem(const struct server *server);

#endif
