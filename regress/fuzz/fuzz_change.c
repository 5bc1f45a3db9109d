/*
 * Decodes and renders whatever it is given.  The first byte says what that is:
 *
 *	'S'  frames
 *	'P'  bodies of frames to be compressed: u8 bytes / 16, body, and so on
 *	'V'  values: u8 kind of type, u32 type, string value, and so on
 *	else messages, without a frame
 */
#include "common/frame.h"
#include "common/render.h"
#include "common/value_text.h"

#include <stdlib.h>

#define LINE_BYTES (1 << 24)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
expect(bool condition)
{
	if (!condition)
		abort();
}

static void
expect_one_line(const struct buffer *line)
{
	for (size_t i = 0; i < line->len; i++)
		expect(line->data[i] >= 0x20 && line->data[i] != 0x7f);
}

/* A row that was read as part of a message reads as such again. */
static void
expect_same_row(const struct change_relation *rel, const struct change_row *row, bool key_only)
{
	static struct value values[CHANGE_MAX_COLUMNS];
	struct reader r;

	reader_init(&r, row->raw.data, row->raw.len);
	expect(change_decode_row(rel, key_only, &r, values));
	expect(reader_left(&r) == 0);
	for (unsigned i = 0; i < rel->column_count; i++) {
		expect(values[i].kind == row->values[i].kind);
		expect(values[i].data == row->values[i].data && values[i].len == row->values[i].len);
	}
}

static void
check_change(const struct change_decoder *d, const struct change *change)
{
	const struct change_relation *rel;
	struct change_option option;
	struct bytes leaf;
	unsigned count = 0;
	size_t at = 0;

	if (change->new.values)
		expect_same_row(change->relation, &change->new, false);
	if (change->old.values)
		expect_same_row(change->relation, &change->old, change->old_kind == CHANGE_OLD_KEY);
	while (change->kind == CHANGE_TRUNCATE && change_next_truncated(d, change, &at, &rel, &leaf))
		count++;
	while (change->kind == CHANGE_STARTUP && change_next_option(change, &at, &option))
		count++;
	expect(count == change->truncated_count + change->option_count);
}

static bool
decode_messages(struct change_decoder *d, struct buffer *line, const uint8_t *data, size_t len)
{
	struct change change;
	struct reader r;

	reader_init(&r, data, len);
	while (reader_left(&r) > 0) {
		if (!change_decode(d, &r, &change))
			return false;
		check_change(d, &change);
		buffer_reset(line);
		render_change(line, d, &change);
		if (!line->failed)
			expect_one_line(line);
	}
	return true;
}

static void
decode_frames(struct change_decoder *d, struct buffer *line, const uint8_t *data, size_t len)
{
	struct frame_parts parts;
	struct frame frame;
	struct bytes body;
	struct reader r;

	buffer_init(&parts.unpacked, LINE_BYTES, NULL, NULL);
	buffer_init(&parts.joined, LINE_BYTES, NULL, NULL);
	reader_init(&r, data, len);
	while (change_frame_read(&r, &frame) == FRAME_READ && frame_parts_take(&parts, &frame, &body)) {
		if (!decode_messages(d, line, body.data, body.len))
			break;
		frame_parts_done(&parts, &frame);
	}
	frame_parts_fini(&parts);
}

/* A frame after others of the same connection: what was compressed is read as it was. */
static void
check_packed(struct frame_packer *packer, struct frame_parts *parts, struct buffer *packed,
			 const struct buffer *plain)
{
	struct frame frame;
	struct bytes body;
	struct reader r;

	expect(frame_pack(packer, plain, packed));
	reader_init(&r, packed->data, packed->len);
	expect(change_frame_read(&r, &frame) == FRAME_READ && reader_left(&r) == 0);
	expect((frame.flags & ~FRAME_LINKED) == (FRAME_LZ4 | plain->data[1]));
	expect(frame_parts_take(parts, &frame, &body));
	expect(body.len == plain->len - FRAME_HEADER_BYTES);
	expect(memcmp(body.data, plain->data + FRAME_HEADER_BYTES, body.len) == 0);
	frame_parts_done(parts, &frame);
}

/* Bodies, each by its length, which the last one may exceed; repeated, so that the buffers go round. */
static void
check_compression(const uint8_t *data, size_t len)
{
	struct frame_packer packer;
	struct frame_parts parts;
	struct buffer plain, packed;

	buffer_init(&packer.stream, LINE_BYTES, NULL, NULL);
	buffer_init(&packer.ring, LINE_BYTES, NULL, NULL);
	buffer_init(&parts.unpacked, LINE_BYTES, NULL, NULL);
	buffer_init(&parts.joined, LINE_BYTES, NULL, NULL);
	buffer_init(&plain, LINE_BYTES, NULL, NULL);
	buffer_init(&packed, LINE_BYTES, NULL, NULL);
	for (size_t at = 0; at < len;) {
		size_t claimed = (size_t) data[at] << 4;
		size_t left = len - ++at;
		size_t body = claimed < left ? claimed : left;
		unsigned times = 1 + data[at - 1] % 7 * 20;

		buffer_reset(&plain);
		(void) change_frame_start(&plain);
		while (times-- > 0 && plain.len + body <= FRAME_PACKED_MAX)
			buffer_put(&plain, data + at, body);
		change_frame_end(&plain, 0, left % 2 ? FRAME_OPEN : 0);
		at += body;
		if (plain.len > FRAME_HEADER_BYTES)
			check_packed(&packer, &parts, &packed, &plain);
	}
	buffer_fini(&packer.stream);
	buffer_fini(&packer.ring);
	frame_parts_fini(&parts);
	buffer_fini(&plain);
	buffer_fini(&packed);
}

static void
render_values(struct buffer *line, const uint8_t *data, size_t len)
{
	struct reader r;

	reader_init(&r, data, len);
	while (!r.failed && reader_left(&r) > 0) {
		char typtype = (char) reader_get_u8(&r);
		uint32_t type = reader_get_u32(&r);
		struct bytes value = reader_get_string(&r);

		buffer_reset(line);
		if (!r.failed)
			value_text_put(line, type, typtype, value.data, value.len);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct change_decoder decoder;
	struct buffer line;

	if (len == 0 || !change_decoder_init(&decoder))
		return 0;
	buffer_init(&line, LINE_BYTES, NULL, NULL);
	if (data[0] == FRAME_MAGIC)
		decode_frames(&decoder, &line, data, len);
	else if (data[0] == 'P')
		check_compression(data + 1, len - 1);
	else if (data[0] == 'V')
		render_values(&line, data + 1, len - 1);
	else
		(void) decode_messages(&decoder, &line, data, len);
	buffer_fini(&line);
	change_decoder_fini(&decoder);
	return 0;
}
