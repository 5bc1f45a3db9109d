#include "writer.h"

#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "common/render.h"

#include "encoding.h"

#define FRAME_FULL_BYTES (64 * 1024)

/* A larger frame, such as that of a large row, is sent in parts of this size; with lz4, of FRAME_PACKED_MAX. */
#define FRAME_PART_BYTES ((size_t) 1024 * 1024)

/* A frame must fit into one allocation together with the server's headers. */
#define BUFFER_LIMIT_BYTES (MaxAllocSize - 1024)

/* A larger buffer, which a huge row has needed, is freed after use. */
#define BUFFER_KEEP_BYTES (1024 * 1024)

static void *
resize_in_context(void *context, void *data, size_t bytes)
{
	return data ? repalloc(data, bytes) : MemoryContextAlloc(context, bytes);
}

static void
empty(struct writer *w, struct buffer *b)
{
	buffer_reset(b);
	if (b->cap > BUFFER_KEEP_BYTES) {
		pfree(b->data);
		buffer_init(b, BUFFER_LIMIT_BYTES, resize_in_context, w->context);
	}
}

/* Callback of a memory context: the decoder keeps its relations on the heap. */
static void
release_decoder(void *arg)
{
	change_decoder_fini(arg);
}

static void
init_text(struct writer *w)
{
	MemoryContextCallback *callback = MemoryContextAllocZero(w->context, sizeof *callback);

	buffer_init(&w->line, BUFFER_LIMIT_BYTES, resize_in_context, w->context);
	if (!change_decoder_init(&w->decoder))
		ereport(ERROR, errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"));
	callback->func = release_decoder;
	callback->arg = &w->decoder;
	MemoryContextRegisterResetCallback(w->context, callback);
}

void
writer_init(struct writer *w, LogicalDecodingContext *ctx, const struct options *options,
			MemoryContext context)
{
	MemoryContext before = MemoryContextSwitchTo(context);
	const char *name = get_database_name(MyDatabaseId);

	*w = (struct writer){.ctx = ctx, .options = options, .context = context};
	w->database = encoding_to_utf8(name ? name : "");
	buffer_init(&w->buffer, BUFFER_LIMIT_BYTES, resize_in_context, context);
	buffer_init(&w->packer.stream, BUFFER_LIMIT_BYTES, resize_in_context, context);
	buffer_init(&w->packer.ring, BUFFER_LIMIT_BYTES, resize_in_context, context);
	buffer_init(&w->packed, BUFFER_LIMIT_BYTES, resize_in_context, context);
	buffer_init(&w->part, BUFFER_LIMIT_BYTES, resize_in_context, context);
	if (options->text)
		init_text(w);
	MemoryContextSwitchTo(before);
}

static void
put_startup(struct writer *w)
{
	const char *version = GetConfigOption("server_version_num", false, false);

	change_put_startup(&w->buffer, &w->base, (unsigned) atoi(version), encoding_name(), w->database,
					   w->options->effective, w->options->effective_count);
	w->started = true;
}

struct buffer *
writer_begin(struct writer *w)
{
	if (w->buffer.len == 0 && !w->options->text)
		(void) change_frame_start(&w->buffer);
	if (!w->started)
		put_startup(w);
	writer_mark(w);
	return &w->buffer;
}

static void
refuse_size(const char *schema, const char *table)
{
	if (!table)
		ereport(ERROR, errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				errmsg("a message of output plugin \"sluice\" exceeds the limit of %zu bytes",
					   (size_t) BUFFER_LIMIT_BYTES));
	ereport(ERROR, errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			errmsg("a row of table \"%s.%s\" is too large to be sent", encoding_to_server(schema),
				   encoding_to_server(table)),
			errdetail("A change must fit into %zu bytes, the old row included where one is sent.",
					  (size_t) BUFFER_LIMIT_BYTES),
			errhint("Name the table in option \"exclude_tables\" to go on without it. "
					"REPLICA IDENTITY FULL makes changes twice as large."));
}

/* Hands one message to the client. */
static void
write_bytes(struct writer *w, const void *data, size_t len, bool last)
{
	OutputPluginPrepareWrite(w->ctx, last);
	appendBinaryStringInfo(w->ctx->out, data, (int) len);
	OutputPluginWrite(w->ctx, last);
}

static void
write_out(struct writer *w, const struct buffer *b, bool last)
{
	write_bytes(w, b->data, b->len, last);
}

/* The text form is in the database's encoding, like all text that SQL functions return. */
static void
write_line(struct writer *w, bool last)
{
	const char *line = encoding_to_server((const char *) w->line.data);

	write_bytes(w, line, strlen(line), last);
}

static void
print_message(struct writer *w, struct reader *r)
{
	struct change change;

	if (!change_decode(&w->decoder, r, &change))
		elog(ERROR, "output plugin \"sluice\" cannot read its own message: %s", w->decoder.problem);
	render_change(&w->line, &w->decoder, &change);
	buffer_put_u8(&w->line, '\0');
	if (w->line.failed)
		refuse_size(change.relation ? change.relation->schema : NULL,
					change.relation ? change.relation->name : NULL);
	write_line(w, reader_left(r) == 0);
	empty(w, &w->line);
}

static void
print_all(struct writer *w)
{
	struct reader r;

	reader_init(&r, w->buffer.data, w->buffer.len);
	while (reader_left(&r) > 0)
		print_message(w, &r);
	empty(w, &w->buffer);
	writer_mark(w);
}

static void
write_whole(struct writer *w, struct buffer *frame, uint8_t flags)
{
	change_frame_end(frame, 0, flags);
	if (w->options->lz4 && frame_pack(&w->packer, frame, &w->packed))
		write_out(w, &w->packed, true);
	else
		write_out(w, frame, true);
	empty(w, &w->packed);
}

static size_t
part_bytes(const struct writer *w)
{
	return w->options->lz4 ? FRAME_PACKED_MAX : FRAME_PART_BYTES;
}

/* With parts, neither walsender nor reader needs a second copy of a large row. */
static void
write_parts(struct writer *w, uint8_t flags)
{
	for (size_t at = FRAME_HEADER_BYTES; at < w->buffer.len; at += part_bytes(w)) {
		size_t len = Min(w->buffer.len - at, part_bytes(w));
		bool last = at + len == w->buffer.len;

		CHECK_FOR_INTERRUPTS();
		buffer_reset(&w->part);
		(void) change_frame_start(&w->part);
		buffer_put(&w->part, w->buffer.data + at, len);
		write_whole(w, &w->part, last ? flags : FRAME_OPEN | FRAME_PART);
	}
}

static void
write_frame(struct writer *w, uint8_t flags)
{
	if (w->buffer.len - FRAME_HEADER_BYTES > part_bytes(w))
		write_parts(w, flags);
	else
		write_whole(w, &w->buffer, flags);
	empty(w, &w->buffer);
	writer_mark(w);
}

void
writer_end(struct writer *w, const char *schema, const char *table)
{
	if (w->buffer.failed)
		refuse_size(schema, table);
	if (w->options->text)
		print_all(w);
	else if (w->buffer.len >= FRAME_FULL_BYTES)
		write_frame(w, FRAME_OPEN);
	else
		writer_mark(w);
}

void
writer_take_back(struct writer *w)
{
	buffer_truncate(&w->buffer, w->whole);
}

void
writer_flush(struct writer *w)
{
	if (w->buffer.failed)
		refuse_size(NULL, NULL);
	if (w->options->text)
		print_all(w);
	else if (w->buffer.len > 0)
		write_frame(w, 0);
}
