#include "copy_pipe.h"

#include "base/memory.h"

#define PAUSE_BYTES ((size_t) 1 << 20)
#define PIECE_BYTES ((size_t) 256 << 10)
#define LIMIT_BYTES ((size_t) 2 << 30) /* a row is at most 1 GB */

static size_t
waiting_bytes(const struct copy_pipe *pipe)
{
	return pipe->data.len - pipe->taken;
}

static bool
on_source_data(void *arg, struct bytes message)
{
	struct copy_pipe *pipe = arg;
	bool open = throttle_took(pipe->throttle, message.len);

	buffer_put(&pipe->data, message.data, message.len);
	pipe->rows++;
	pipe->bytes += (int64_t) message.len;
	connection_resume(pipe->destination);
	pipe->source_paused = waiting_bytes(pipe) >= PAUSE_BYTES;
	return !pipe->source_paused && open;
}

static void
resume_source(struct copy_pipe *pipe)
{
	if (pipe->source && !pipe->source_paused && !throttle_is_closed(pipe->throttle))
		connection_resume(pipe->source);
}

static void
on_source_done(void *arg, const struct result *res, const struct error *err)
{
	struct copy_pipe *pipe = arg;

	if (err)
		pipe->source_failed(pipe->arg, err);
	else
		pipe->source_rows = result_affected(res);
	pipe->source_done = true;
	connection_resume(pipe->destination);
}

static enum copy_next
on_destination_wants(void *arg, struct buffer *out)
{
	struct copy_pipe *pipe = arg;
	size_t left = waiting_bytes(pipe);
	size_t piece = left < PIECE_BYTES ? left : PIECE_BYTES;

	if (*pipe->given_up || pipe->data.failed)
		return COPY_ABORT;
	if (left == 0)
		return pipe->source_done ? COPY_END : COPY_WAIT;
	buffer_put(out, pipe->data.data + pipe->taken, piece);
	pipe->taken += piece;
	if (pipe->taken == pipe->data.len) {
		buffer_reset(&pipe->data);
		pipe->taken = 0;
	}
	if (pipe->source_paused && waiting_bytes(pipe) < PAUSE_BYTES) {
		pipe->source_paused = false;
		resume_source(pipe);
	}
	return COPY_MORE;
}

void
copy_pipe_init(struct copy_pipe *pipe)
{
	*pipe = (struct copy_pipe){0};
	memory_buffer_init_limited(&pipe->data, LIMIT_BYTES);
}

void
copy_pipe_fini(struct copy_pipe *pipe)
{
	connection_close(pipe->source);
	connection_close(pipe->destination);
	buffer_fini(&pipe->data);
}

void
copy_pipe_go_on(struct copy_pipe *pipe)
{
	resume_source(pipe);
}

void
copy_pipe_start(struct copy_pipe *pipe, const char *copy_out, const char *copy_in, connection_done done,
				void *arg)
{
	pipe->source_done = false;
	pipe->source_paused = false;
	pipe->rows = 0;
	connection_copy_in(pipe->destination, copy_in, on_destination_wants, pipe, done, arg);
	connection_copy_out(pipe->source, copy_out, on_source_data, pipe, on_source_done, pipe);
}
