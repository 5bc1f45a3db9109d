#include "compare_peek.h"

#include <string.h>

#include "base/memory.h"
#include "base/sql.h"
#include "lsn.h"

#define PEEK_LIMIT ((size_t) 2 << 30)

struct peek {
	struct compare_window *window;
	struct buffer input; /* received in COPY BINARY format, and not taken yet */
	bool started;
	bool failed;
	struct error err;
	bool done;
	struct error ended;
	bool ended_badly;
};

#define COPY_HEADER_BYTES 19

/* Takes the complete rows from the input: a field count, a length, a frame. */
static void
take_frames(struct peek *peek)
{
	struct reader r;
	size_t taken = 0;

	reader_init(&r, peek->input.data, peek->input.len);
	if (!peek->started) {
		if (!reader_get(&r, COPY_HEADER_BYTES))
			return;
		peek->started = true;
		taken = r.pos;
	}
	while (!peek->failed) {
		uint16_t fields = reader_get_u16(&r);
		uint32_t len = reader_get_u32(&r);
		const uint8_t *data = reader_get(&r, len);

		if (r.failed || fields != 1)
			break;
		peek->failed = !compare_window_frame(peek->window, (struct bytes){data, len}, &peek->err);
		taken = r.pos;
	}
	if (taken > 0)
		memmove(peek->input.data, peek->input.data + taken, peek->input.len - taken);
	peek->input.len -= taken;
}

static bool
on_frames(void *arg, struct bytes message)
{
	struct peek *peek = arg;

	if (peek->failed)
		return true;
	buffer_put(&peek->input, message.data, message.len);
	if (peek->input.failed)
		memory_exhausted(peek->input.len);
	take_frames(peek);
	return true;
}

static void
on_peeked(void *arg, const struct result *res, const struct error *err)
{
	struct peek *peek = arg;

	(void) res;
	peek->done = true;
	peek->ended_badly = err != NULL;
	if (err)
		peek->ended = *err;
}

static bool
is_over(void *arg)
{
	const struct peek *peek = arg;

	return peek->done || peek->failed;
}

/* ---- the statement */

static void
put_patterns(struct buffer *sql, const char *option, const struct string_list *list)
{
	struct buffer text;

	if (list->count == 0)
		return;
	memory_buffer_init(&text);
	for (unsigned i = 0; i < list->count; i++)
		buffer_printf(&text, i ? ",%s" : "%s", list->items[i]);
	buffer_put_u8(&text, '\0');
	buffer_printf(sql, ", '%s', ", option);
	sql_literal(sql, (const char *) text.data);
	buffer_fini(&text);
}

static void
put_peek(struct buffer *sql, const struct config *config, const char *slot, uint64_t until_lsn)
{
	char lsn[LSN_TEXT_BYTES];

	buffer_printf(sql, "COPY (SELECT data FROM pg_catalog.pg_logical_slot_peek_binary_changes(");
	sql_literal(sql, slot);
	buffer_printf(sql, ", ");
	if (until_lsn)
		sql_literal(sql, lsn_format(until_lsn, lsn));
	else
		buffer_printf(sql, "NULL");
	buffer_printf(sql, ", NULL, 'protocol', '" CHANGE_VERSION_TEXT "', 'text_tables', '*.*'");
	put_patterns(sql, "tables", &config->tables.include);
	put_patterns(sql, "exclude_tables", &config->tables.exclude);
	buffer_printf(sql, ")) TO STDOUT (FORMAT binary)");
	buffer_put_u8(sql, '\0');
}

bool
compare_peek(struct loop *loop, struct connection *conn, const char *slot, const struct config *config,
			 struct compare_window *window, struct error *err)
{
	struct peek peek = {.window = window};
	struct buffer sql;

	memory_buffer_init_limited(&peek.input, PEEK_LIMIT);
	memory_buffer_init(&sql);
	put_peek(&sql, config, slot, window->until_lsn);
	connection_copy_out(conn, (const char *) sql.data, on_frames, &peek, on_peeked, &peek);
	buffer_fini(&sql);
	loop_run_until(loop, is_over, &peek);
	if (!peek.done)
		connection_abandon(conn);
	buffer_fini(&peek.input);
	if (!peek.failed && !peek.ended_badly)
		return true;
	*err = peek.failed ? peek.err : peek.ended;
	return error_context(err, "reading the changes of slot %s", slot);
}
