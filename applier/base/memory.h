/*
 * Memory of the applier. No function here returns NULL: if memory is short the process ends with exit
 * status 1 and a line in the log. A restart is safe; an SQL statement that was cut short is not.
 *
 * Memory is freed with free(). Arenas (arena.h) and the buffers below use these functions. `make lint`
 * refuses malloc() and the like elsewhere in applier/.
 */
#ifndef SLUICE_MEMORY_H
#define SLUICE_MEMORY_H

#include <stdarg.h>
#include <stddef.h>

struct buffer;

/* Ends the process; called when an allocation fails. */
_Noreturn void memory_exhausted(size_t bytes);

/* Never NULL, not even for 0 bytes. */
void *memory_alloc(size_t bytes);
void *memory_alloc_zero(size_t count, size_t bytes);

/* Resizes an array, which may be NULL; added memory is not initialised. */
void *memory_resize(void *array, size_t count, size_t bytes);

/*
 * To be called before there are other threads: they allocate from the same heap.  libpq's buffers grow in the heap of the thread that has
 * connected, and memory_give_back() reaches the end of the first heap only.
 */
void memory_use_one_heap(void);
/* Returns free memory to the system; else the process keeps as much as its largest batch has ever needed. */
void memory_give_back(void);

char *memory_strdup(const char *text);
char *memory_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
char *memory_vprintf(const char *fmt, va_list args) __attribute__((format(printf, 1, 0)));

/*
 * A buffer that grows as needed. Running out of memory ends the process. So a buffer without a limit never
 * fails; one with a limit fails as buffer.h says.
 */
void memory_buffer_init(struct buffer *b);
void memory_buffer_init_limited(struct buffer *b, size_t limit);

#endif
