#include "base/memory.h"
#include "connection_parts.h"

#define CHUNK_KEEP_BYTES ((size_t) 4 << 20)
#define COPY_PIECE_BYTES ((size_t) 256 << 10)
/* A COPY that always has more data yields to the loop after this amount. */
#define BYTES_PER_TURN (1024 * 1024)

/* A buffer that one large row has enlarged is not kept. */
void
connection_empty_chunk(struct connection *conn)
{
	buffer_reset(&conn->chunk);
	conn->chunk_put = 0;
	conn->chunk_next = COPY_MORE;
	if (conn->chunk.cap <= CHUNK_KEEP_BYTES)
		return;
	buffer_fini(&conn->chunk);
	memory_buffer_init_limited(&conn->chunk, COPY_CHUNK_LIMIT);
}

static bool
end_copy_in(struct connection *conn, struct request *req)
{
	const char *reason = NULL;

	if (conn->chunk_next == COPY_ABORT || conn->chunk.failed) {
		req->aborted = true;
		reason = "given up by the applier";
	}
	connection_empty_chunk(conn);
	req->state = REQUEST_RUNNING;
	return PQputCopyEnd(conn->pg, reason) != -1;
}

/* Gives libpq the next piece of the chunk; libpq keeps a copy of it, so pieces are small. */
static bool
put_piece(struct connection *conn)
{
	size_t len = conn->chunk.len - conn->chunk_put;

	if (len > COPY_PIECE_BYTES)
		len = COPY_PIECE_BYTES;
	if (PQputCopyData(conn->pg, (const char *) conn->chunk.data + conn->chunk_put, (int) len) < 0)
		return false;
	conn->chunk_put += len;
	return true;
}

/* Sends as long as the socket accepts data. */
enum step
connection_step_copy_in(struct connection *conn, struct request *req)
{
	size_t sent = 0;

	while (!conn->waiting) {
		int flushed = PQflush(conn->pg);
		size_t before;

		if (flushed != 0)
			return flushed < 0 ? STEP_LOST : STEP_WAIT;
		if (sent > BYTES_PER_TURN) {
			loop_timer_arm(conn->kick, 0);
			return STEP_WAIT;
		}
		if (conn->chunk.failed || (conn->chunk_put == conn->chunk.len &&
								   (conn->chunk_next == COPY_END || conn->chunk_next == COPY_ABORT)))
			return end_copy_in(conn, req) ? STEP_AGAIN : STEP_LOST;
		if (conn->chunk_put == conn->chunk.len) {
			connection_empty_chunk(conn);
			conn->chunk_next = req->producer(req->copy_arg, &conn->chunk);
		}
		before = conn->chunk_put;
		if (!conn->chunk.failed && conn->chunk.len > before && !put_piece(conn))
			return STEP_LOST;
		sent += conn->chunk_put - before;
		conn->waiting = conn->chunk_next == COPY_WAIT && conn->chunk_put == conn->chunk.len;
	}
	return STEP_WAIT;
}

enum step
connection_step_copy_out(struct connection *conn, struct request *req)
{
	size_t taken = 0;

	while (!conn->waiting) {
		char *message;
		int len;

		if (taken > BYTES_PER_TURN) {
			loop_timer_arm(conn->kick, 0);
			return STEP_WAIT;
		}
		len = PQgetCopyData(conn->pg, &message, 1);
		if (len == 0)
			return STEP_WAIT;
		if (len < 0) {
			req->state = REQUEST_RUNNING;
			return STEP_AGAIN;
		}
		taken += (size_t) len;
		conn->waiting =
			!req->consumer(req->copy_arg, (struct bytes){(const uint8_t *) message, (size_t) len});
		PQfreemem(message);
	}
	return STEP_WAIT;
}
