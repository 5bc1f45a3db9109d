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
/* After a reload: opens another http.listen, if it changed. */
void monitor_reconfigure(struct monitor *monitor, const struct config *config);

/* For modules that count by themselves; NULL: there is no monitor. */
struct metrics *monitor_metrics(struct monitor *monitor);

/* Sets the phase, as in `status`; NULL: on the way to one, shown as "starting" unless the daemon is trying again.
 * `cause`: a sentence, or NULL. */
void monitor_phase(struct monitor *monitor, const char *phase, const char *cause);
/* The daemon that has the task, this one or another; host NULL: nobody.  `since`: microseconds since 1970. */
void monitor_holder(struct monitor *monitor, const char *host, int64_t pid, int64_t since);
void monitor_versions(struct monitor *monitor, const char *source, const char *destination);
/* A session to one of the servers was opened. */
void monitor_connected(struct monitor *monitor, enum metric_server server);
/* An attempt ended with an error; `again`: another attempt follows. */
void monitor_error(struct monitor *monitor, const struct error *err, bool again);
/* Sets what the phase waits for, in words, and for how long already: "the destination"; NULL: nothing. `ask` is
 * called for each answer, for what pending requests of the sessions wait for, and says for how long, too. */
void monitor_waiting(struct monitor *monitor, const char *what, int64_t for_ms);
void monitor_ask_waiting(struct monitor *monitor, const char *(*ask)(void *arg, int64_t *for_ms), void *arg);
/* Copies what is to be shown of the tables. */
void monitor_tables(struct monitor *monitor, const struct catalog *catalog);
/* The rows of a table that its copy has written, `ms` milliseconds after it began; `step`: what is done instead of
 * copying, in words, such as "building indexes"; NULL: rows are copied. */
void monitor_copied(struct monitor *monitor, uint32_t oid, int64_t rows, int64_t ms, const char *step);
/* The outcomes that `compare --record` has written. */
void monitor_compared(struct monitor *monitor, const struct comparisons *comparisons);
/* The time of the latest outcome in the monitor, microseconds since 1970. */
int64_t monitor_compared_until(const struct monitor *monitor);
/* Where a stream begins: everything up to there is durable. `commit_us`: when the source committed it, since 1970;
 * 0: not known. */
void monitor_position(struct monitor *monitor, uint64_t lsn, int64_t commit_us);
/* The slot and the source's position, just read. */
void monitor_slot(struct monitor *monitor, const struct source_slot *slot,
				  const struct oldest_transaction *oldest);
/* What the source has sent so far, and how much memory and disk are in use. */
void monitor_received(struct monitor *monitor, uint64_t lsn, size_t bytes);
/* Bytes of changes in frames, after decompression. */
void monitor_unpacked(struct monitor *monitor, size_t bytes);
/* The commit time, at the source, of the transaction folded last, microseconds since 2000; 0: not known. */
void monitor_received_commit(struct monitor *monitor, int64_t commit_time);
void monitor_held(struct monitor *monitor, size_t memory_bytes, size_t spilled_bytes);
/* A batch was applied, and is durable up to `lsn` (0: a round of a transaction that goes on). */
void monitor_batch(struct monitor *monitor, const struct batch *batch, uint64_t lsn);
/* Appends the answer to `sluice status` over the control socket (status_line.h), at most `most` bytes. */
void monitor_put_line(struct monitor *monitor, size_t most, struct buffer *out);
/* A changed definition was followed. */
void monitor_definition(struct monitor *monitor, const char *table, const char *what);

#endif
