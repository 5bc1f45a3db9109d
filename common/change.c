#include "change.h"

#include <stdlib.h>

/* ---- frames */

size_t
change_frame_start(struct buffer *b)
{
	size_t start = b->len;

	buffer_put_u8(b, FRAME_MAGIC);
	buffer_put_u8(b, 0);
	buffer_put_u32(b, 0);
	return start;
}

void
change_frame_end(struct buffer *b, size_t start, uint8_t flags)
{
	if (b->failed)
		return;
	b->data[start + 1] = flags;
	buffer_patch_u32(b, start + 2, (uint32_t) (b->len - start - FRAME_HEADER_BYTES));
}

static bool
flags_are_known(uint8_t flags)
{
	return !(flags & ~(FRAME_LZ4 | FRAME_OPEN | FRAME_PART | FRAME_LINKED)) &&
		   (!(flags & FRAME_LINKED) || flags & FRAME_LZ4);
}

enum frame_result
change_frame_read(struct reader *r, struct frame *frame)
{
	struct reader at = *r;
	uint32_t body_len;

	/* Checks the first bytes before the length is used, since the input may not be a frame at all. */
	if (reader_left(r) >= 1 && r->data[r->pos] != FRAME_MAGIC)
		return FRAME_MALFORMED;
	if (reader_left(r) >= 2 && !flags_are_known(r->data[r->pos + 1]))
		return FRAME_MALFORMED;
	(void) reader_get_u8(&at);
	frame->flags = reader_get_u8(&at);
	body_len = reader_get_u32(&at);
	frame->raw_len = body_len;
	if (frame->flags & FRAME_LZ4)
		frame->raw_len = reader_get_u32(&at);
	frame->body.data = reader_get(&at, body_len);
	frame->body.len = body_len;
	if (at.failed)
		return FRAME_INCOMPLETE;
	*r = at;
	return FRAME_READ;
}

/* ---- LSN and time as differences */

static void
put_lsn(struct buffer *b, struct change_base *base, uint64_t lsn)
{
	buffer_put_signed(b, (int64_t) (lsn - base->lsn));
	base->lsn = lsn;
}

static uint64_t
get_lsn(struct reader *r, struct change_base *base)
{
	base->lsn += (uint64_t) reader_get_signed(r);
	return base->lsn;
}

static void
put_time(struct buffer *b, struct change_base *base, int64_t time)
{
	buffer_put_signed(b, (int64_t) ((uint64_t) time - (uint64_t) base->time));
	base->time = time;
}

static int64_t
get_time(struct reader *r, struct change_base *base)
{
	base->time = (int64_t) ((uint64_t) base->time + (uint64_t) reader_get_signed(r));
	return base->time;
}

/* From the commit record's LSN to its end. */
static void
put_end_lsn(struct buffer *b, struct change_base *base, uint64_t end_lsn)
{
	buffer_put_varint(b, end_lsn - base->lsn);
	base->lsn = end_lsn;
}

static uint64_t
get_end_lsn(struct reader *r, struct change_base *base)
{
	base->lsn += reader_get_varint(r);
	return base->lsn;
}

static uint32_t
get_xid(struct reader *r)
{
	return (uint32_t) reader_get_bounded(r, UINT32_MAX);
}

/* ---- startup */

void
change_put_startup(struct buffer *b, struct change_base *base, unsigned server_version_num,
				   const char *encoding, const char *database, const struct change_option *options,
				   unsigned option_count)
{
	*base = (struct change_base){0};
	buffer_put_u8(b, CHANGE_STARTUP);
	buffer_put_varint(b, CHANGE_VERSION);
	buffer_put_varint(b, server_version_num);
	buffer_put_text(b, encoding);
	buffer_put_text(b, database);
	buffer_put_varint(b, option_count);
	for (unsigned i = 0; i < option_count; i++) {
		buffer_put_string(b, options[i].name.data, options[i].name.len);
		buffer_put_string(b, options[i].value.data, options[i].value.len);
	}
}

static void
get_startup(struct change_decoder *d, struct reader *r, struct change *change)
{
	size_t start;

	d->base = (struct change_base){0};
	d->relation_first = d->relation_count;
	d->started = false;
	change->version = (unsigned) reader_get_bounded(r, UINT16_MAX);
	if (!r->failed && (change->version < CHANGE_OLDEST_VERSION || change->version > CHANGE_VERSION)) {
		d->problem = "the format version is not one that this program reads";
		r->failed = true;
		return;
	}
	change->server_version_num = (unsigned) reader_get_bounded(r, UINT32_MAX);
	change->encoding = reader_get_string(r);
	change->database = reader_get_string(r);
	change->option_count = (unsigned) reader_get_bounded(r, UINT16_MAX);
	start = r->pos;
	for (unsigned i = 0; i < change->option_count && !r->failed; i++) {
		(void) reader_get_string(r);
		(void) reader_get_string(r);
	}
	change->options = (struct bytes){r->data + start, r->pos - start};
	d->started = !r->failed;
}

bool
change_next_option(const struct change *change, size_t *at, struct change_option *option)
{
	struct reader r;

	reader_init(&r, change->options.data, change->options.len);
	r.pos = *at;
	if (reader_left(&r) == 0)
		return false;
	option->name = reader_get_string(&r);
	option->value = reader_get_string(&r);
	*at = r.pos;
	return !r.failed;
}

/* ---- relation */

static void
put_column(struct buffer *b, const struct change_column *column)
{
	buffer_put_varint(b, (uint64_t) column->attnum);
	buffer_put_text(b, column->name);
	buffer_put_varint(b, column->type);
	buffer_put_varint(b, column->base_type);
	buffer_put_signed(b, column->typmod);
	buffer_put_u8(b, (uint8_t) column->typtype);
	buffer_put_u8(b, column->flags);
	buffer_put_varint(b, column->width);
	buffer_put_text(b, column->type_schema);
	buffer_put_text(b, column->type_name);
}

void
change_put_relation(struct buffer *b, const struct change_relation *rel)
{
	buffer_put_u8(b, CHANGE_RELATION);
	buffer_put_varint(b, rel->number);
	buffer_put_varint(b, rel->oid);
	buffer_put_text(b, rel->schema);
	buffer_put_text(b, rel->name);
	buffer_put_u8(b, (uint8_t) rel->identity);
	buffer_put_u8(b, rel->flags);
	buffer_put_varint(b, rel->column_count);
	for (unsigned i = 0; i < rel->column_count; i++)
		put_column(b, &rel->columns[i]);
	buffer_put_varint(b, rel->leaf_count);
	for (unsigned i = 0; i < rel->leaf_count; i++)
		buffer_put_varint(b, rel->leaves[i]);
	buffer_put_varint(b, 0); /* additions */
}

static void
relation_free(struct change_relation *rel)
{
	if (!rel)
		return;
	free((char *) rel->schema);
	free((char *) rel->name);
	for (unsigned i = 0; i < rel->column_count; i++) {
		free((char *) rel->columns[i].name);
		free((char *) rel->columns[i].type_schema);
		free((char *) rel->columns[i].type_name);
	}
	free(rel->columns);
	free(rel->leaves);
	free(rel);
}

static void
fail_for_memory(struct change_decoder *d, struct reader *r)
{
	d->problem = "out of memory";
	r->failed = true;
}

/* A NUL-terminated copy; a NUL inside, or lack of memory, fails the reader. */
static const char *
get_name(struct change_decoder *d, struct reader *r)
{
	struct bytes s = reader_get_string(r);
	char *copy;

	if (r->failed || memchr(s.data, 0, s.len)) {
		r->failed = true;
		return NULL;
	}
	copy = malloc(s.len + 1);
	if (!copy) {
		fail_for_memory(d, r);
		return NULL;
	}
	memcpy(copy, s.data, s.len);
	copy[s.len] = '\0';
	return copy;
}

static void
get_column(struct change_decoder *d, struct reader *r, struct change_column *column)
{
	column->attnum = (int16_t) reader_get_bounded(r, INT16_MAX);
	column->name = get_name(d, r);
	column->type = (uint32_t) reader_get_bounded(r, UINT32_MAX);
	column->base_type = (uint32_t) reader_get_bounded(r, UINT32_MAX);
	column->typmod = (int32_t) reader_get_signed(r);
	column->typtype = (char) reader_get_u8(r);
	column->flags = reader_get_u8(r);
	column->width = (uint16_t) reader_get_bounded(r, UINT16_MAX);
	column->type_schema = get_name(d, r);
	column->type_name = get_name(d, r);
}

static void
get_columns(struct change_decoder *d, struct reader *r, struct change_relation *rel)
{
	unsigned count = (unsigned) reader_get_bounded(r, CHANGE_MAX_COLUMNS);

	if (r->failed)
		return;
	rel->columns = calloc(count ? count : 1, sizeof *rel->columns);
	if (!rel->columns) {
		fail_for_memory(d, r);
		return;
	}
	rel->column_count = count;
	for (unsigned i = 0; i < count && !r->failed; i++) {
		get_column(d, r, &rel->columns[i]);
		if (rel->columns[i].flags & COLUMN_KEY)
			rel->key_count++;
	}
}

static void
get_leaves(struct change_decoder *d, struct reader *r, struct change_relation *rel)
{
	/* Each OID takes at least a byte; this limits the allocation before the count is trusted. */
	unsigned count = (unsigned) reader_get_bounded(r, reader_left(r));

	if (r->failed || count == 0)
		return;
	rel->leaves = calloc(count, sizeof *rel->leaves);
	if (!rel->leaves) {
		fail_for_memory(d, r);
		return;
	}
	rel->leaf_count = count;
	for (unsigned i = 0; i < count && !r->failed; i++)
		rel->leaves[i] = (uint32_t) reader_get_bounded(r, UINT32_MAX);
}

static void
get_additions(struct reader *r)
{
	uint64_t count = reader_get_varint(r);

	for (uint64_t i = 0; i < count && !r->failed; i++) {
		(void) reader_get_varint(r);
		(void) reader_get_string(r);
	}
}

static bool
keep_relation(struct change_decoder *d, struct change_relation *rel)
{
	if (d->relation_count == d->relation_cap) {
		uint32_t cap = d->relation_cap ? d->relation_cap * 2 : 64;
		struct change_relation **grown = realloc(d->relations, cap * sizeof(*grown));

		if (!grown)
			return false;
		d->relations = grown;
		d->relation_cap = cap;
	}
	d->relations[d->relation_count++] = rel;
	return true;
}

static void
get_relation(struct change_decoder *d, struct reader *r, struct change *change)
{
	struct change_relation *rel = calloc(1, sizeof *rel);

	if (!rel) {
		fail_for_memory(d, r);
		return;
	}
	rel->number = (uint32_t) reader_get_bounded(r, UINT32_MAX);
	rel->oid = (uint32_t) reader_get_bounded(r, UINT32_MAX);
	rel->schema = get_name(d, r);
	rel->name = get_name(d, r);
	rel->identity = (char) reader_get_u8(r);
	rel->flags = reader_get_u8(r);
	get_columns(d, r, rel);
	get_leaves(d, r, rel);
	get_additions(r);
	if (!r->failed && !memchr("difn", rel->identity, 4)) {
		d->problem = "a relation's identity is of an unknown kind";
		r->failed = true;
	}
	if (!r->failed && rel->number != d->relation_count - d->relation_first + 1) {
		d->problem = "a relation is described out of turn";
		r->failed = true;
	}
	if (!r->failed && !keep_relation(d, rel))
		fail_for_memory(d, r);
	if (r->failed) {
		relation_free(rel);
		return;
	}
	change->relation = rel;
}

static const struct change_relation *
find_relation(const struct change_decoder *d, uint64_t number)
{
	if (number == 0 || number > d->relation_count - d->relation_first)
		return NULL;
	return d->relations[d->relation_first + number - 1];
}

const struct change_relation *
change_relation_of(const struct change_decoder *d, uint32_t number)
{
	return find_relation(d, number);
}

static void
get_relation_number(struct change_decoder *d, struct reader *r, struct change *change)
{
	change->relation = find_relation(d, reader_get_varint(r));
	if (!change->relation && !r->failed) {
		d->problem = "a change names a relation that was not described";
		r->failed = true;
	}
}

/* ---- transactions */

void
change_put_begin(struct buffer *b, struct change_base *base, uint32_t xid, uint64_t commit_lsn,
				 int64_t commit_time)
{
	buffer_put_u8(b, CHANGE_BEGIN);
	buffer_put_varint(b, xid);
	put_lsn(b, base, commit_lsn);
	put_time(b, base, commit_time);
}

void
change_put_commit(struct buffer *b, struct change_base *base, uint64_t end_lsn)
{
	buffer_put_u8(b, CHANGE_COMMIT);
	put_end_lsn(b, base, end_lsn);
}

void
change_put_stream_start(struct buffer *b, uint32_t xid)
{
	buffer_put_u8(b, CHANGE_STREAM_START);
	buffer_put_varint(b, xid);
}

void
change_put_subtransaction(struct buffer *b, uint32_t xid)
{
	buffer_put_u8(b, CHANGE_SUBTRANSACTION);
	buffer_put_varint(b, xid);
}

void
change_put_stream_stop(struct buffer *b)
{
	buffer_put_u8(b, CHANGE_STREAM_STOP);
}

void
change_put_stream_commit(struct buffer *b, struct change_base *base, uint32_t xid, uint64_t commit_lsn,
						 uint64_t end_lsn, int64_t commit_time)
{
	buffer_put_u8(b, CHANGE_STREAM_COMMIT);
	buffer_put_varint(b, xid);
	put_lsn(b, base, commit_lsn);
	put_end_lsn(b, base, end_lsn);
	put_time(b, base, commit_time);
}

void
change_put_stream_abort(struct buffer *b, uint32_t xid, uint32_t subxid)
{
	buffer_put_u8(b, CHANGE_STREAM_ABORT);
	buffer_put_varint(b, xid);
	buffer_put_varint(b, subxid);
}

static void
get_begin(struct change_decoder *d, struct reader *r, struct change *change)
{
	change->xid = get_xid(r);
	change->commit_lsn = get_lsn(r, &d->base);
	change->commit_time = get_time(r, &d->base);
}

static void
get_stream_commit(struct change_decoder *d, struct reader *r, struct change *change)
{
	change->xid = get_xid(r);
	change->commit_lsn = get_lsn(r, &d->base);
	change->end_lsn = get_end_lsn(r, &d->base);
	change->commit_time = get_time(r, &d->base);
}

/* ---- truncate and logical messages */

void
change_put_truncate(struct buffer *b, uint8_t flags, unsigned count)
{
	buffer_put_u8(b, CHANGE_TRUNCATE);
	buffer_put_u8(b, flags);
	buffer_put_varint(b, count);
}

void
change_put_truncated(struct buffer *b, uint32_t relation, const char *leaf)
{
	buffer_put_varint(b, relation);
	buffer_put_text(b, leaf);
}

static void
get_truncate(struct change_decoder *d, struct reader *r, struct change *change)
{
	size_t start;

	change->flags = reader_get_u8(r);
	change->truncated_count = (unsigned) reader_get_bounded(r, UINT32_MAX);
	start = r->pos;
	for (unsigned i = 0; i < change->truncated_count && !r->failed; i++) {
		get_relation_number(d, r, change);
		(void) reader_get_string(r);
	}
	change->relation = NULL;
	change->truncated = (struct bytes){r->data + start, r->pos - start};
}

bool
change_next_truncated(const struct change_decoder *d, const struct change *change, size_t *at,
					  const struct change_relation **relation, struct bytes *leaf)
{
	struct reader r;

	reader_init(&r, change->truncated.data, change->truncated.len);
	r.pos = *at;
	if (reader_left(&r) == 0)
		return false;
	*relation = find_relation(d, reader_get_varint(&r));
	*leaf = reader_get_string(&r);
	*at = r.pos;
	return !r.failed;
}

void
change_put_message(struct buffer *b, uint8_t flags, uint64_t lsn, const char *prefix, const void *content,
				   size_t content_len)
{
	buffer_put_u8(b, CHANGE_MESSAGE);
	buffer_put_u8(b, flags);
	buffer_put_u64(b, lsn);
	buffer_put_text(b, prefix);
	buffer_put_string(b, content, content_len);
}

static void
get_message(struct reader *r, struct change *change)
{
	change->flags = reader_get_u8(r);
	change->message_lsn = reader_get_u64(r);
	change->prefix = reader_get_string(r);
	change->content = reader_get_string(r);
}

/* ---- definitions */

void
change_put_definitions(struct buffer *b, uint8_t flags, unsigned count)
{
	buffer_put_u8(b, CHANGE_DEFINITIONS);
	buffer_put_u8(b, flags);
	buffer_put_varint(b, count);
}

void
change_put_definition(struct buffer *b, const struct change_definition *definition)
{
	buffer_put_varint(b, definition->oid);
	buffer_put_u8(b, (uint8_t) definition->kind);
	if (definition->kind == DEFINITION_DESCRIBED)
		buffer_put_varint(b, definition->relation);
}

static void
get_definition(struct reader *r, struct change_definition *definition)
{
	*definition = (struct change_definition){.oid = (uint32_t) reader_get_bounded(r, UINT32_MAX)};
	definition->kind = (enum definition_kind) reader_get_u8(r);
	if (definition->kind == DEFINITION_DESCRIBED)
		definition->relation = (uint32_t) reader_get_bounded(r, UINT32_MAX);
	if (definition->kind > DEFINITION_MISSED)
		r->failed = true;
}

static void
get_definitions(struct change_decoder *d, struct reader *r, struct change *change)
{
	size_t start;

	change->flags = reader_get_u8(r);
	/* Each entry takes at least two bytes; this limits what a reader allocates. */
	change->definition_count = (unsigned) reader_get_bounded(r, reader_left(r) / 2);
	start = r->pos;
	for (unsigned i = 0; i < change->definition_count && !r->failed; i++) {
		struct change_definition definition;

		get_definition(r, &definition);
		if (!r->failed && definition.kind == DEFINITION_DESCRIBED && !find_relation(d, definition.relation)) {
			d->problem = "a changed definition names a relation that was not described";
			r->failed = true;
		}
	}
	change->definitions = (struct bytes){r->data + start, r->pos - start};
}

bool
change_next_definition(const struct change *change, size_t *at, struct change_definition *definition)
{
	struct reader r;

	reader_init(&r, change->definitions.data, change->definitions.len);
	r.pos = *at;
	if (reader_left(&r) == 0)
		return false;
	get_definition(&r, definition);
	*at = r.pos;
	return !r.failed;
}

/* ---- rows */

static void
put_bitmap(struct buffer *b, unsigned count, const bool *set)
{
	size_t bytes = (count + 7) / 8;
	uint8_t *at;

	if (!buffer_reserve(b, bytes))
		return;
	at = b->data + b->len;
	memset(at, 0, bytes);
	for (unsigned i = 0; i < count; i++)
		at[i / 8] |= (uint8_t) (set[i] << (i % 8));
	b->len += bytes;
}

static bool
any_set(unsigned count, const bool *set)
{
	return set && memchr(set, true, count);
}

void
change_put_row_head(struct buffer *b, unsigned column_count, const bool *nulls, const bool *unchanged)
{
	bool has_nulls = any_set(column_count, nulls);
	bool has_unchanged = any_set(column_count, unchanged);

	buffer_put_u8(b, (uint8_t) ((has_nulls ? ROW_NULLS : 0) | (has_unchanged ? ROW_UNCHANGED : 0)));
	if (has_nulls)
		put_bitmap(b, column_count, nulls);
	if (has_unchanged)
		put_bitmap(b, column_count, unchanged);
}

static inline bool
bit_is_set(const uint8_t *bitmap, unsigned bit)
{
	return bitmap && (bitmap[bit / 8] >> (bit % 8) & 1);
}

static inline void
get_value(const struct change_column *column, struct reader *r, struct value *value)
{
	uint64_t len = column->width ? column->width : reader_get_bounded(r, INT32_MAX);

	value->kind = VALUE_PRESENT;
	value->len = (uint32_t) len;
	value->data = reader_get(r, len);
}

bool
change_decode_row(const struct change_relation *rel, bool key_only, struct reader *r, struct value *values)
{
	unsigned count = key_only ? rel->key_count : rel->column_count;
	uint8_t flags = reader_get_u8(r);
	const uint8_t *nulls = flags & ROW_NULLS ? reader_get(r, (count + 7) / 8) : NULL;
	const uint8_t *unchanged = flags & ROW_UNCHANGED ? reader_get(r, (count + 7) / 8) : NULL;
	unsigned bit = 0;

	if (r->failed || flags & ~(ROW_NULLS | ROW_UNCHANGED))
		return false;
	for (unsigned i = 0; i < rel->column_count; i++) {
		const struct change_column *column = &rel->columns[i];

		values[i] = (struct value){.kind = VALUE_UNCHANGED};
		if (key_only && !(column->flags & COLUMN_KEY))
			continue;
		if (bit_is_set(nulls, bit))
			values[i].kind = VALUE_NULL;
		else if (!bit_is_set(unchanged, bit))
			get_value(column, r, &values[i]);
		bit++;
	}
	return !r->failed;
}

static void
get_row(struct change_decoder *d, struct reader *r, const struct change *change, bool key_only,
		struct value *values, struct change_row *row)
{
	size_t start = r->pos;

	if (r->failed)
		return;
	if (!change_decode_row(change->relation, key_only, r, values)) {
		r->failed = true;
		d->problem = "a row is malformed";
		return;
	}
	row->raw = (struct bytes){r->data + start, r->pos - start};
	row->values = values;
}

static void
get_old(struct change_decoder *d, struct reader *r, struct change *change)
{
	change->old_kind = (enum change_old) reader_get_bounded(r, CHANGE_OLD_NONE);
	if (change->old_kind == CHANGE_OLD_KEY || change->old_kind == CHANGE_OLD_FULL)
		get_row(d, r, change, change->old_kind == CHANGE_OLD_KEY, d->old_values, &change->old);
}

static void
get_row_change(struct change_decoder *d, struct reader *r, struct change *change)
{
	get_relation_number(d, r, change);
	if (r->failed)
		return;
	if (change->kind != CHANGE_INSERT)
		get_old(d, r, change);
	if (change->kind != CHANGE_DELETE)
		get_row(d, r, change, false, d->new_values, &change->new);
	else if (change->old_kind == CHANGE_OLD_SAME)
		r->failed = true;
}

/* ---- the decoder */

bool
change_decoder_init(struct change_decoder *d)
{
	*d = (struct change_decoder){0};
	d->old_values = calloc(CHANGE_MAX_COLUMNS, sizeof *d->old_values);
	d->new_values = calloc(CHANGE_MAX_COLUMNS, sizeof *d->new_values);
	if (d->old_values && d->new_values)
		return true;
	change_decoder_fini(d);
	return false;
}

void
change_decoder_forget(struct change_decoder *d, uint32_t number)
{
	if (!find_relation(d, number))
		return;
	relation_free(d->relations[d->relation_first + number - 1]);
	d->relations[d->relation_first + number - 1] = NULL;
}

void
change_decoder_fini(struct change_decoder *d)
{
	for (uint32_t i = 0; i < d->relation_count; i++)
		relation_free(d->relations[i]);
	free(d->relations);
	free(d->old_values);
	free(d->new_values);
	*d = (struct change_decoder){0};
}

static void
decode_body(struct change_decoder *d, struct reader *r, struct change *change)
{
	switch (change->kind) {
	case CHANGE_STARTUP:
		get_startup(d, r, change);
		return;
	case CHANGE_RELATION:
		get_relation(d, r, change);
		return;
	case CHANGE_BEGIN:
		get_begin(d, r, change);
		return;
	case CHANGE_COMMIT:
		change->end_lsn = get_end_lsn(r, &d->base);
		return;
	case CHANGE_INSERT:
	case CHANGE_UPDATE:
	case CHANGE_DELETE:
		get_row_change(d, r, change);
		return;
	case CHANGE_TRUNCATE:
		get_truncate(d, r, change);
		return;
	case CHANGE_MESSAGE:
		get_message(r, change);
		return;
	case CHANGE_DEFINITIONS:
		get_definitions(d, r, change);
		return;
	case CHANGE_STREAM_START:
	case CHANGE_SUBTRANSACTION:
		change->xid = get_xid(r);
		return;
	case CHANGE_STREAM_STOP:
		return;
	case CHANGE_STREAM_COMMIT:
		get_stream_commit(d, r, change);
		return;
	case CHANGE_STREAM_ABORT:
		change->xid = get_xid(r);
		change->subxid = get_xid(r);
		return;
	}
	d->problem = "a message is of an unknown kind";
	r->failed = true;
}

bool
change_decode(struct change_decoder *d, struct reader *r, struct change *change)
{
	d->problem = "a message ends too early or holds a malformed number";
	*change = (struct change){.kind = (enum change_kind) reader_get_u8(r)};
	if (!d->started && change->kind != CHANGE_STARTUP && !r->failed) {
		d->problem = "the stream does not begin with a startup message";
		r->failed = true;
	}
	if (!r->failed)
		decode_body(d, r, change);
	return !r->failed;
}
