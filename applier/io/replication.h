/*
 * The stream of a logical replication slot
 * (https://www.postgresql.org/docs/current/protocol-replication.html).
 *
 * Feedback goes out when the position to confirm moves, when the server asks
 * for it, and every status interval; a server that is silent for too long is
 * taken for dead.
 */
#ifndef SLUICE_REPLICATION_H
#define SLUICE_REPLICATION_H

#include "connection.h"

struct replication;

struct replication_handler {
	void *arg;
	/* One message of the output plugin.  False: read no more until replication_resume(). */
	bool (*data)(void *arg, struct bytes payload);
	/* The server has sent everything up to wal_end. */
	void (*keepalive)(void *arg, uint64_t wal_end);
	/* The stream is over; `err` says why.  Called once, the last call. */
	void (*ended)(void *arg, const struct error *err);
};

/* Options as alternating names and values; the connection is the caller's and outlives the stream. */
struct replication *replication_start(struct loop *loop, struct connection *conn, const char *slot,
									  uint64_t start_lsn, const char *const *options, unsigned option_pairs,
									  const struct replication_handler *handler);
void replication_destroy(struct replication *repl);

/* The source may forget what lies before `lsn`: it is durable at the
 * destination.  Never moves back. */
void replication_confirm(struct replication *repl, uint64_t lsn);
/* Asks the server for a keepalive with its current position. */
void replication_ask(struct replication *repl);
void replication_resume(struct replication *repl);

#endif
