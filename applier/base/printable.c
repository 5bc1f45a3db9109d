#include "printable.h"

#include <stdbool.h>

#include "memory.h"

static bool
sets_direction(unsigned code)
{
	return code == 0x061C || code == 0x200E || code == 0x200F || (code >= 0x2028 && code <= 0x202E) ||
		   (code >= 0x2066 && code <= 0x2069);
}

size_t
printable_control(const char *text, unsigned *code)
{
	const unsigned char *c = (const unsigned char *) text;

	if ((c[0] & 0xE0) == 0xC0 && (c[1] & 0xC0) == 0x80) {
		*code = (c[0] & 0x1Fu) << 6 | (c[1] & 0x3Fu);
		return (*code >= 0x80 && *code <= 0x9F) || sets_direction(*code) ? 2 : 0;
	}
	if ((c[0] & 0xF0) == 0xE0 && (c[1] & 0xC0) == 0x80 && (c[2] & 0xC0) == 0x80) {
		*code = (c[0] & 0x0Fu) << 12 | (c[1] & 0x3Fu) << 6 | (c[2] & 0x3Fu);
		return sets_direction(*code) ? 3 : 0;
	}
	return 0;
}

static bool
is_plain_control(char c)
{
	return ((unsigned char) c < 0x20 && c != '\n' && c != '\t') || c == 0x7F;
}

void
printable_put(struct buffer *out, const char *text, size_t len)
{
	for (size_t i = 0; i < len;) {
		unsigned code;
		size_t bytes = printable_control(text + i, &code);

		if (bytes == 0 && is_plain_control(text[i])) {
			code = (unsigned char) text[i];
			bytes = 1;
		}
		if (bytes > 0 && bytes <= len - i) {
			buffer_printf(out, "\\u%04x", code);
			i += bytes;
		} else {
			buffer_put_u8(out, (uint8_t) text[i++]);
		}
	}
}

void
printable_write(FILE *file, const char *text, size_t len)
{
	struct buffer out;

	memory_buffer_init(&out);
	printable_put(&out, text, len);
	if (out.len > 0)
		fwrite(out.data, 1, out.len, file);
	buffer_fini(&out);
}
