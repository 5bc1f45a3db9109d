#include "replication.h"

#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/sql.h"
#include "lsn.h"

#define STATUS_INTERVAL_MS 5000
#define SILENCE_ASK_MS 20000
#define SILENCE_DEAD_MS 60000

#define WAL_DATA_HEADER_BYTES 24 /* start, end, time */
#define SECONDS_1970_TO_2000 946684800

struct replication {
	struct loop *loop;
	struct connection *conn;
	struct replication_handler handler;
	struct loop_timer *timer;
	uint64_t confirmed;
	int64_t last_heard_ms;
	int64_t last_sent_ms;
	bool paused;
	bool ended;
};

static int64_t
now_in_postgres_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return ((int64_t) now.tv_sec - SECONDS_1970_TO_2000) * 1000000 + now.tv_nsec / 1000;
}

/* Sends a standby status update; the positions for written, flushed and applied are the same here. */
static void
send_status(struct replication *repl, bool ask)
{
	uint8_t message[64];
	struct buffer b = {.data = message, .cap = sizeof message, .limit = sizeof message};

	buffer_put_u8(&b, 'r');
	buffer_put_u64(&b, repl->confirmed);
	buffer_put_u64(&b, repl->confirmed);
	buffer_put_u64(&b, repl->confirmed);
	buffer_put_u64(&b, (uint64_t) now_in_postgres_us());
	buffer_put_u8(&b, ask);
	connection_send(repl->conn, b.data, b.len);
	repl->last_sent_ms = loop_now_ms(repl->loop);
}

static void
end(struct replication *repl, const struct error *err)
{
	if (repl->ended)
		return;
	repl->ended = true;
	loop_timer_disarm(repl->timer);
	repl->handler.ended(repl->handler.arg, err);
}

static void
on_timer(void *arg)
{
	struct replication *repl = arg;
	int64_t silence_ms = loop_now_ms(repl->loop) - repl->last_heard_ms;

	/* While reading is paused, the silence is our own doing. */
	if (repl->paused)
		repl->last_heard_ms = loop_now_ms(repl->loop);
	else if (silence_ms > SILENCE_DEAD_MS) {
		struct error err;

		error_set(&err, ERROR_RETRY, "the source has been silent for %d s", SILENCE_DEAD_MS / 1000);
		end(repl, &err);
		return;
	}
	send_status(repl, silence_ms > SILENCE_ASK_MS && !repl->paused);
	loop_timer_arm(repl->timer, STATUS_INTERVAL_MS);
}

static bool
on_message(void *arg, struct bytes message)
{
	struct replication *repl = arg;
	struct reader r;
	uint64_t wal_end;

	repl->last_heard_ms = loop_now_ms(repl->loop);
	reader_init(&r, message.data, message.len);
	switch (reader_get_u8(&r)) {
	case 'w':
		if (!reader_get(&r, WAL_DATA_HEADER_BYTES))
			return true;
		repl->paused =
			!repl->handler.data(repl->handler.arg, (struct bytes){r.data + r.pos, reader_left(&r)});
		return !repl->paused;
	case 'k':
		wal_end = reader_get_u64(&r);
		(void) reader_get_u64(&r); /* the server's time */
		if (!r.failed)
			repl->handler.keepalive(repl->handler.arg, wal_end);
		if (reader_get_u8(&r))
			send_status(repl, false);
		return true;
	default:
		return true;
	}
}

static void
on_stream_done(void *arg, const struct result *res, const struct error *err)
{
	struct error stopped;

	(void) res;
	if (!err) {
		error_set(&stopped, ERROR_RETRY, "the source ended the replication stream");
		err = &stopped;
	}
	end(arg, err);
}

static void
put_start_command(struct buffer *sql, const char *slot, uint64_t start_lsn, const char *const *options,
				  unsigned option_pairs)
{
	char lsn[LSN_TEXT_BYTES];

	buffer_printf(sql, "START_REPLICATION SLOT ");
	sql_identifier(sql, slot);
	buffer_printf(sql, " LOGICAL %s (", lsn_format(start_lsn, lsn));
	for (unsigned i = 0; i < option_pairs; i++) {
		buffer_printf(sql, i ? ", " : "");
		sql_identifier(sql, options[2 * i]);
		buffer_put_u8(sql, ' ');
		sql_replication_literal(sql, options[2 * i + 1]);
	}
	buffer_put_u8(sql, ')');
	buffer_put_u8(sql, '\0');
}

struct replication *
replication_start(struct loop *loop, struct connection *conn, const char *slot, uint64_t start_lsn,
				  const char *const *options, unsigned option_pairs,
				  const struct replication_handler *handler)
{
	struct replication *repl = memory_alloc_zero(1, sizeof *repl);
	struct buffer sql;

	repl->loop = loop;
	repl->conn = conn;
	repl->handler = *handler;
	repl->confirmed = start_lsn;
	repl->last_heard_ms = loop_now_ms(loop);
	repl->timer = loop_timer_create(loop, on_timer, repl);
	loop_timer_arm(repl->timer, STATUS_INTERVAL_MS);
	memory_buffer_init(&sql);
	put_start_command(&sql, slot, start_lsn, options, option_pairs);
	connection_copy_out(conn, (const char *) sql.data, on_message, repl, on_stream_done, repl);
	buffer_fini(&sql);
	return repl;
}

void
replication_destroy(struct replication *repl)
{
	if (!repl)
		return;
	loop_timer_destroy(repl->timer);
	connection_abandon(repl->conn);
	free(repl);
}

void
replication_confirm(struct replication *repl, uint64_t lsn)
{
	if (repl->ended || lsn <= repl->confirmed)
		return;
	repl->confirmed = lsn;
	send_status(repl, false);
}

void
replication_ask(struct replication *repl)
{
	if (!repl->ended)
		send_status(repl, true);
}

void
replication_resume(struct replication *repl)
{
	if (!repl->paused || repl->ended)
		return;
	repl->paused = false;
	repl->last_heard_ms = loop_now_ms(repl->loop);
	connection_resume(repl->conn);
}
