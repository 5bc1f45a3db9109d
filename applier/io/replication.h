/*
 * The stream of a logical replication slot
 * (https://www.postgresql.org/docs/current/protocol-replication.html).
 *
 * Feedback is sent when the position to confirm moves, when the server requests it, and every status
 * interval. A server that is silent for too long is considered dead.
 */
#ifndef SLUICE_REPLICATION_H
#define SLUICE_REPLICATION_H

#include "connection.h"

struct replication;

struct replication_handler {
	void *arg;
	/* One message of the output plugin. Returning false pauses reading until replication_resume(). */
	bool (*data)(void *arg, struct bytes payload);
	/* The server has sent everything up to wal_end. */
	void (*keepalive)(void *arg, uint64_t wal_end);
	/* The stream has ended; `err` says why. Called once, as the last call. */
	void (*ended)(void *arg, const struct error *err);
};

/*
 * `options` are alternating names and values. The connection stays the caller's and must outlive the
 * stream.
 */
struct replication *replication_start(struct loop *loop, struct connection *conn, const char *slot,
									  uint64_t start_lsn, const char *const *options, unsigned option_pairs,
									  const struct replication_handler *handler);
void replication_destroy(struct replication *repl);

/*
 * Confirms that everything before `lsn` is durable at the destination, so that the source may discard it.
 * A lower `lsn` is ignored.
 */
void replication_confirm(struct replication *repl, uint64_t lsn);
/* Asks the server for a keepalive message with its current position. */
void replication_ask(struct replication *repl);
void replication_resume(struct replication *repl);

#endif
