#include "state_text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/sql.h"
#include "quote.h"

#define MARK "\\u{"
#define MARK_BYTES (sizeof MARK - 1)
#define MAX_DIGITS 6

/* Global, since a program has one destination. */
static bool in_ascii;

void
state_text_use(const char *server_encoding)
{
	in_ascii = strcmp(server_encoding, "UTF8") != 0 && strcmp(server_encoding, "SQL_ASCII") != 0;
}

/* ---- the stored form */

static bool
is_plain(const char *text)
{
	for (const char *c = text; *c; c++)
		if ((unsigned char) *c > 127)
			return false;
	return strstr(text, MARK) == NULL;
}

static uint32_t
code_point(const char *character, size_t len)
{
	const unsigned char *byte = (const unsigned char *) character;
	uint32_t code = byte[0] & (len == 2 ? 0x1f : len == 3 ? 0x0f : 0x07);

	for (size_t i = 1; i < len; i++)
		code = code << 6 | (byte[i] & 0x3f);
	return code;
}

/* Bytes that are no UTF-8, of a source in SQL_ASCII, stay as they are. */
static void
put_stored(struct buffer *out, const char *text)
{
	while (*text) {
		size_t len = quote_utf8_length(text, strlen(text));

		if (len > 1)
			buffer_printf(out, MARK "%" PRIx32 "}", code_point(text, len));
		else if (strncmp(text, MARK, MARK_BYTES) == 0)
			buffer_printf(out, MARK "5c}");
		else
			buffer_put_u8(out, (uint8_t) *text);
		text += len > 1 ? len : 1;
	}
}

/* ---- reading it */

static void
put_character(struct buffer *out, uint32_t code)
{
	static const uint8_t lead[] = {0, 0xc0, 0xe0, 0xf0};
	unsigned more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;

	buffer_put_u8(out, (uint8_t) (lead[more] | code >> (6 * more)));
	while (more-- > 0)
		buffer_put_u8(out, (uint8_t) (0x80 | ((code >> (6 * more)) & 0x3f)));
}

/* The end of the stored character that begins there; NULL: none begins there. */
static const char *
stored_end(const char *stored, uint32_t *code)
{
	const char *digits = stored + MARK_BYTES;
	size_t count;

	if (strncmp(stored, MARK, MARK_BYTES) != 0)
		return NULL;
	count = strspn(digits, "0123456789abcdef");
	if (count == 0 || count > MAX_DIGITS || digits[count] != '}')
		return NULL;
	*code = (uint32_t) strtoul(digits, NULL, 16);
	return *code > 0 && *code < 0x110000 ? digits + count + 1 : NULL;
}

static void
put_read(struct buffer *out, const char *stored)
{
	while (*stored) {
		uint32_t code;
		const char *end = stored_end(stored, &code);

		if (end)
			put_character(out, code);
		else
			buffer_put_u8(out, (uint8_t) *stored);
		stored = end ? end : stored + 1;
	}
}

/* ---- both ways */

static const char *
convert(struct arena *memory, const char *text, void (*put)(struct buffer *, const char *))
{
	const char *copy;
	struct buffer out;

	memory_buffer_init(&out);
	put(&out, text);
	buffer_put_u8(&out, '\0');
	copy = arena_strdup(memory, (const char *) out.data);
	buffer_fini(&out);
	return copy;
}

const char *
state_text_stored(struct arena *memory, const char *text)
{
	return !in_ascii || !text || is_plain(text) ? text : convert(memory, text, put_stored);
}

const char *
state_text_read(struct arena *memory, const char *stored)
{
	return !in_ascii || !stored || !strstr(stored, MARK) ? stored : convert(memory, stored, put_read);
}

void
state_text_put(struct buffer *sql, const char *text)
{
	struct arena memory;

	arena_init(&memory, 1024);
	sql_optional_literal(sql, state_text_stored(&memory, text));
	arena_fini(&memory);
}
