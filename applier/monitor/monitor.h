/*
 * The monitor of a running daemon: metrics, the status and a day's history,
 * served over HTTP (http.listen).
 *
 *	session ── phase, tables ──►┐
 *	stream ── slot, batches ───►│ monitor ──► /  /status  /history  /metrics  /healthz  /readyz
 *
 * The other modules report to it; it keeps copies and answers from them, so that
 * a request never waits for a server, even while both are down.
 * Every function takes NULL for the monitor and then does nothing.
 */
#ifndef SLUICE_MONITOR_H
#define SLUICE_MONITOR_H

#include "base/config.h"
#include "io/loop.h"
#include "merge/batch.h"
#include "metrics.h"
#include "servers/retention.h"
#include "servers/source.h"
#include "state/comparisons.h"
#include "tables/catalog.h"

struct monitor;

/* `config` must outlive it, or be replaced by monitor_reconfigure(). */
struct monitor *monitor_create(struct loop *loop, const struct config *config);
void monitor_destroy(struct monitor *monitor);
/* After a reload: http.listen may be another. */
void monitor_reconfigure(struct monitor *monitor, const struct config *config);

/* For what is counted where it happens; NULL where there is no monitor. */
struct metrics *monitor_metrics(struct monitor *monitor);

/* A phase as in `status`; NULL: on its way to one, which is "starting" unless it is trying again.  `cause` is a
 * sentence, or NULL. */
void monitor_phase(struct monitor *monitor, const char *phase, const char *cause);
void monitor_versions(struct monitor *monitor, const char *source, const char *destination);
/* A session was opened at one of them. */
void monitor_connected(struct monitor *monitor, enum metric_server server);
/* An attempt has ended with it; `again`: another one is made for that. */
void monitor_error(struct monitor *monitor, const struct error *err, bool again);
/*
 * What the phase is held up by, for a person, and for how long already: "the destination"; NULL: nothing.  Besides, `ask` is
 * called where the answer is wanted, for what the sessions' requests wait for: how long is up to it, too.
 */
void monitor_waiting(struct monitor *monitor, const char *what, int64_t for_ms);
void monitor_ask_waiting(struct monitor *monitor, const char *(*ask)(void *arg, int64_t *for_ms), void *arg);
/* Copies what is to be shown of the tables. */
void monitor_tables(struct monitor *monitor, const struct catalog *catalog);
/* How many rows of a table its copy has written, `ms` milliseconds after it was begun; `step` is what it does instead, for
 * a person, such as "building indexes"; NULL: it copies rows. */
void monitor_copied(struct monitor *monitor, uint32_t oid, int64_t rows, int64_t ms, const char *step);
/* What `compare --record` has written: a table's last outcome. */
void monitor_compared(struct monitor *monitor, const struct comparisons *comparisons);
/* The time of the latest one that it was told of, microseconds since 1970. */
int64_t monitor_compared_until(const struct monitor *monitor);
/* Where a stream begins: everything up to there is durable; when the source committed it, microseconds since 1970, 0:
 * not known. */
void monitor_position(struct monitor *monitor, uint64_t lsn, int64_t commit_us);
/* The slot as it was read just now, and the source's position with it. */
void monitor_slot(struct monitor *monitor, const struct source_slot *slot,
				  const struct oldest_transaction *oldest);
/* What the source has sent, the sizes of what is held. */
void monitor_received(struct monitor *monitor, uint64_t lsn, size_t bytes);
/* Changes in frames, after decompression. */
void monitor_unpacked(struct monitor *monitor, size_t bytes);
/* When the source committed what was folded last, microseconds since 2000; 0: not known. */
void monitor_received_commit(struct monitor *monitor, int64_t commit_time);
void monitor_held(struct monitor *monitor, size_t memory_bytes, size_t spilled_bytes);
/* A batch is durable, up to `lsn` (0: a round of a transaction that goes on). */
void monitor_batch(struct monitor *monitor, const struct batch *batch, uint64_t lsn);
/* What `sluice status` asks for over the control socket (status_line.h), at most so long. */
void monitor_put_line(struct monitor *monitor, size_t most, struct buffer *out);
/* A changed definition was followed. */
void monitor_definition(struct monitor *monitor, const char *table, const char *what);

#endif
