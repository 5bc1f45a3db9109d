#include "memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "buffer.h"
#include "log.h"

/* Frees and flushes nothing, since that might need memory, too. */
void
memory_exhausted(size_t bytes)
{
	char message[160];

	snprintf(
		message, sizeof message,
		"out of memory: %zu bytes were asked for and refused; lower apply.memory, or give the process more",
		bytes);
	log_without_memory(LOG_ERROR, message);
	_exit(EXIT_FAILURE);
}

static size_t
array_bytes(size_t count, size_t bytes)
{
	size_t total;

	if (__builtin_mul_overflow(count, bytes, &total))
		memory_exhausted(SIZE_MAX);
	return total ? total : 1;
}

static void *
or_end(void *memory, size_t bytes)
{
	if (!memory)
		memory_exhausted(bytes);
	return memory;
}

void *
memory_alloc(size_t bytes)
{
	return or_end(malloc(bytes ? bytes : 1), bytes);
}

void *
memory_alloc_zero(size_t count, size_t bytes)
{
	size_t total = array_bytes(count, bytes);

	return or_end(calloc(1, total), total);
}

void *
memory_resize(void *array, size_t count, size_t bytes)
{
	size_t total = array_bytes(count, bytes);

	return or_end(realloc(array, total), total);
}

void
memory_use_one_heap(void)
{
#ifdef __GLIBC__
	mallopt(M_ARENA_MAX, 1);
#endif
}

void
memory_give_back(void)
{
#ifdef __GLIBC__
	malloc_trim(0);
#endif
}

char *
memory_strdup(const char *text)
{
	size_t bytes = strlen(text) + 1;

	return memcpy(memory_alloc(bytes), text, bytes);
}

char *
memory_vprintf(const char *fmt, va_list args)
{
	va_list again;
	char *text;
	int len;

	va_copy(again, args);
	len = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (len < 0)
		memory_exhausted(SIZE_MAX);
	text = memory_alloc((size_t) len + 1);
	vsnprintf(text, (size_t) len + 1, fmt, args);
	return text;
}

char *
memory_printf(const char *fmt, ...)
{
	va_list args;
	char *text;

	va_start(args, fmt);
	text = memory_vprintf(fmt, args);
	va_end(args);
	return text;
}

static void *
resize_or_end(void *context, void *data, size_t bytes)
{
	(void) context;
	return memory_resize(data, bytes, 1);
}

void
memory_buffer_init_limited(struct buffer *b, size_t limit)
{
	buffer_init(b, limit, resize_or_end, NULL);
}

void
memory_buffer_init(struct buffer *b)
{
	memory_buffer_init_limited(b, SIZE_MAX / 2);
}
