/*
 * Memory of the applier.  No function in here returns NULL: where memory is
 * short the process ends with exit status 1 and a line in the log.  A restart
 * is safe; a statement that lacks its end, for want of memory, is not.
 *
 * What is handed out is freed with free().  Arenas (arena.h) and the buffers
 * below get their memory from here.  `make lint` refuses malloc() and its kin
 * elsewhere in applier/.
 */
#ifndef SLUICE_MEMORY_H
#define SLUICE_MEMORY_H

#include <stdarg.h>
#include <stddef.h>

struct buffer;

/* Ends the process; what every allocation that fails comes to. */
_Noreturn void memory_exhausted(size_t bytes);

/* Never NULL, not even for 0 bytes. */
void *memory_alloc(size_t bytes);
void *memory_alloc_zero(size_t count, size_t bytes);

/* Changes the size of an array, NULL at first; what is added is not initialised. */
void *memory_resize(void *array, size_t count, size_t bytes);

char *memory_strdup(const char *text);
char *memory_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
char *memory_vprintf(const char *fmt, va_list args) __attribute__((format(printf, 1, 0)));

/*
 * A buffer that grows as needed.  It never fails for want of memory, and
 * without a limit it never fails at all; with one, as buffer.h says.
 */
void memory_buffer_init(struct buffer *b);
void memory_buffer_init_limited(struct buffer *b, size_t limit);

#endif
