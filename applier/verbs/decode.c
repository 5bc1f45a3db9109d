#include "decode.h"

#include "common/frame.h"
#include "common/render.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define READ_BYTES ((size_t) 1 << 18)
/* A message of the server is smaller than 1 GB; its text form can be several times as large. */
#define MAX_FRAME_BYTES FRAME_BODY_MAX
#define MAX_LINE_BYTES ((size_t) 1 << 33)

struct capture {
	int fd;
	struct buffer input; /* data that was read; `done` bytes of it were printed */
	size_t done;
	uint64_t offset;		  /* position of input.data[0] in the capture */
	struct frame_parts parts; /* assembles bodies of frames that are compressed or come in parts */
	struct buffer line;
	struct change_decoder decoder;
};

static uint64_t
position(const struct capture *c, size_t at)
{
	return c->offset + at;
}

static bool
write_line(struct capture *c, const struct change *change, struct error *err)
{
	buffer_reset(&c->line);
	render_change(&c->line, &c->decoder, change);
	buffer_put_u8(&c->line, '\n');
	if (c->line.failed)
		return error_set(err, ERROR_DATA, "out of memory while rendering a message as text");
	if (fwrite(c->line.data, 1, c->line.len, stdout) != c->line.len)
		return error_set(err, ERROR_DATA, "could not write to standard output: %s", strerror(errno));
	return true;
}

static bool
message_error(const struct capture *c, const struct frame *frame, uint64_t start, size_t at,
			  struct error *err)
{
	if (frame->flags & FRAME_LZ4)
		return error_set(err, ERROR_DATA,
						 "a message in the compressed frame whose body begins at byte %" PRIu64
						 " of the capture cannot be decoded: %s",
						 start, c->decoder.problem);
	return error_set(err, ERROR_DATA, "the message at byte %" PRIu64 " of the capture cannot be decoded: %s",
					 start + at, c->decoder.problem);
}

/* `start` is the position of the frame's body in the capture. */
static bool
print_frame(struct capture *c, const struct frame *frame, uint64_t start, struct error *err)
{
	struct reader r;
	struct change change;
	struct bytes body;

	if (!frame_parts_take(&c->parts, frame, &body))
		return error_set(err, ERROR_DATA,
						 "the frame whose body begins at byte %" PRIu64 " of the capture cannot be read: %s",
						 start, c->parts.problem);
	reader_init(&r, body.data, body.len);
	while (reader_left(&r) > 0) {
		size_t at = r.pos;

		if (!change_decode(&c->decoder, &r, &change))
			return message_error(c, frame, start, at, err);
		if (!write_line(c, &change, err))
			return false;
	}
	frame_parts_done(&c->parts, frame);
	return true;
}

/* Prints the complete frames in the input. */
static bool
print_frames(struct capture *c, struct error *err)
{
	struct reader r;
	struct frame frame;

	reader_init(&r, c->input.data, c->input.len);
	r.pos = c->done;
	for (;;) {
		/* pg_recvlogical ends every message with a line break; no frame begins with one. */
		if (c->decoder.started && reader_left(&r) > 0 && r.data[r.pos] == '\n')
			r.pos++;
		c->done = r.pos;
		switch (change_frame_read(&r, &frame)) {
		case FRAME_INCOMPLETE:
			return true;
		case FRAME_MALFORMED:
			(void) error_set(err, ERROR_DATA, "no frame begins at byte %" PRIu64 " of the capture",
							 position(c, c->done));
			return error_hint(err, "Capture with pg_recvlogical and the plugin's option format=binary.");
		case FRAME_READ:
			break;
		}
		if (!print_frame(c, &frame, position(c, (size_t) (frame.body.data - r.data)), err))
			return false;
	}
}

/* Removes what was printed from the input and reads more. */
static bool
read_more(struct capture *c, bool *end, struct error *err)
{
	size_t rest = c->input.len - c->done;
	ssize_t got;

	if (c->done > 0)
		memmove(c->input.data, c->input.data + c->done, rest);
	c->offset += c->done;
	c->input.len = rest;
	c->done = 0;
	if (!buffer_reserve(&c->input, READ_BYTES))
		return error_set(err, ERROR_DATA, "the frame at byte %" PRIu64 " of the capture is too large",
						 c->offset);
	do
		got = read(c->fd, c->input.data + rest, c->input.cap - rest);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return error_set(err, ERROR_DATA, "could not read the capture: %s", strerror(errno));
	c->input.len += (size_t) got;
	*end = got == 0;
	return true;
}

static bool
print_all(struct capture *c, struct error *err)
{
	bool end = false;

	while (!end) {
		if (!read_more(c, &end, err) || !print_frames(c, err))
			return false;
		/* Flushed each time, so that messages of a growing capture are shown at once. */
		if (fflush(stdout) != 0)
			return error_set(err, ERROR_DATA, "could not write to standard output: %s", strerror(errno));
	}
	if (c->input.len > c->done)
		return error_set(err, ERROR_DATA, "the capture ends in the middle of the frame at byte %" PRIu64,
						 position(c, c->done));
	return true;
}

static bool
open_capture(struct capture *c, const char *path, struct error *err)
{
	*c = (struct capture){.fd = STDIN_FILENO};
	if (path) {
		c->fd = open(path, O_RDONLY | O_CLOEXEC);
		if (c->fd < 0)
			return error_set(err, ERROR_DATA, "could not open \"%s\": %s", path, strerror(errno));
	}
	buffer_init(&c->input, MAX_FRAME_BYTES + READ_BYTES, NULL, NULL);
	buffer_init(&c->parts.unpacked, FRAME_BODY_MAX, NULL, NULL);
	buffer_init(&c->parts.joined, FRAME_BODY_MAX, NULL, NULL);
	buffer_init(&c->line, MAX_LINE_BYTES, NULL, NULL);
	if (change_decoder_init(&c->decoder))
		return true;
	if (path)
		close(c->fd);
	return error_set(err, ERROR_DATA, "out of memory");
}

bool
decode_run(const char *path, struct error *err)
{
	struct capture c;
	bool ok;

	if (!open_capture(&c, path, err))
		return false;
	ok = print_all(&c, err);
	/* Lines before a damaged place are printed in any case. */
	(void) fflush(stdout);
	change_decoder_fini(&c.decoder);
	frame_parts_fini(&c.parts);
	buffer_fini(&c.line);
	buffer_fini(&c.input);
	if (path)
		close(c.fd);
	return ok;
}
