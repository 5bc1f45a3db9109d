#include "json.h"

#include "printable.h"

/* Length of the UTF-8 character at c; 0 if it is invalid. */
static size_t
character_length(const unsigned char *c)
{
	size_t len = c[0] < 0x80 ? 1 : c[0] < 0xC2 ? 0 : c[0] < 0xE0 ? 2 : c[0] < 0xF0 ? 3 : c[0] < 0xF5 ? 4 : 0;

	for (size_t i = 1; i < len; i++)
		if ((c[i] & 0xC0) != 0x80)
			return 0;
	/* Overlong forms, surrogates, and code points beyond U+10FFFF are invalid. */
	if ((c[0] == 0xE0 && c[1] < 0xA0) || (c[0] == 0xED && c[1] > 0x9F) || (c[0] == 0xF0 && c[1] < 0x90) ||
		(c[0] == 0xF4 && c[1] > 0x8F))
		return 0;
	return len;
}

static void
put_character(struct buffer *out, const unsigned char *c, size_t len)
{
	unsigned code;

	if (len == 0)
		buffer_put(out, "\xEF\xBF\xBD", 3);
	else if (*c == '"' || *c == '\\')
		buffer_printf(out, "\\%c", *c);
	else if (*c < 0x20 || *c == 0x7F)
		buffer_printf(out, "\\u%04x", *c);
	else if (printable_control((const char *) c, &code))
		buffer_printf(out, "\\u%04x", code);
	else
		buffer_put(out, c, len);
}

void
json_string(struct buffer *out, const char *text)
{
	if (!text) {
		buffer_put(out, "null", 4);
		return;
	}
	buffer_put_u8(out, '"');
	for (const unsigned char *c = (const unsigned char *) text; *c != '\0';) {
		size_t len = character_length(c);

		put_character(out, c, len);
		c += len ? len : 1;
	}
	buffer_put_u8(out, '"');
}
