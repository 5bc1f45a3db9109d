/*
 * The same history on a real server: its tables, its merges, its contents.
 */
#ifndef SLUICE_SERVER_H
#define SLUICE_SERVER_H

#include "history.h"

struct server;

/* NULL with `problem` when it cannot be reached. */
struct server *server_open(const char *conninfo, char problem[512]);
void server_close(struct server *server);

const struct dialect *server_dialect(const struct server *server);

/* Makes the history's tables, in place of those of an earlier one, with the rows of its targets. */
bool server_create(struct server *server, struct history *h);
/* One step of a plan; `copied` is what a COPY brings. */
bool server_execute(struct server *server, const struct merge_step *step, struct bytes copied,
					int64_t *affected);
bool server_begin(struct server *server);
bool server_commit(struct server *server);
/* The table's rows, in a table of the history's arena. */
struct minisql_table *server_read(struct server *server, struct history *h, const struct world_table *t);
/* Gives the table the rows of `t->target`: where somebody else wrote to it. */
bool server_fill(struct server *server, struct history *h, const struct world_table *t);

/* Why the last call failed. */
const char *server_problem(const struct server *server);

#endif
