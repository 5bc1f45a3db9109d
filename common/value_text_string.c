#include "lsn.h"
#include "value_text_types.h"

#include <inttypes.h>

static const char hex_digits[] = "0123456789abcdef";

static void
put_hex_byte(struct buffer *out, uint8_t byte)
{
	buffer_put_u8(out, (uint8_t) hex_digits[byte >> 4]);
	buffer_put_u8(out, (uint8_t) hex_digits[byte & 15]);
}

static void
put_rest(struct buffer *out, struct reader *in)
{
	size_t len = reader_left(in);

	buffer_put(out, reader_get(in, len), len);
}

bool
value_text_string(struct buffer *out, struct reader *in)
{
	put_rest(out, in);
	return true;
}

/* "char": a byte; those beyond ASCII are no text and shown in octal. */
bool
value_text_char(struct buffer *out, struct reader *in)
{
	uint8_t byte = reader_get_u8(in);

	if (byte >= 0x80)
		buffer_printf(out, "\\%03o", byte);
	else if (byte)
		buffer_put_u8(out, byte);
	return true;
}

/* jsonb and jsonpath: the format's version, then text. */
bool
value_text_versioned(struct buffer *out, struct reader *in)
{
	if (reader_get_u8(in) != 1)
		return false;
	put_rest(out, in);
	return true;
}

bool
value_text_bytea(struct buffer *out, struct reader *in)
{
	if (!buffer_reserve(out, 2 + 2 * reader_left(in)))
		return true;
	buffer_put(out, "\\x", 2);
	while (reader_left(in) > 0)
		put_hex_byte(out, reader_get_u8(in));
	return true;
}

bool
value_text_bits(struct buffer *out, struct reader *in)
{
	uint32_t count = reader_get_u32(in);

	if (reader_left(in) != ((uint64_t) count + 7) / 8 || !buffer_reserve(out, count))
		return false;
	for (uint32_t i = 0; i < count; i += 8) {
		uint8_t byte = reader_get_u8(in);

		for (uint32_t bit = 0; bit < 8 && i + bit < count; bit++)
			buffer_put_u8(out, byte & (0x80 >> bit) ? '1' : '0');
	}
	return true;
}

bool
value_text_uuid(struct buffer *out, struct reader *in)
{
	for (int i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			buffer_put_u8(out, '-');
		put_hex_byte(out, reader_get_u8(in));
	}
	return true;
}

/* macaddr has 6 bytes, macaddr8 has 8. */
bool
value_text_macaddr(struct buffer *out, struct reader *in)
{
	if (reader_left(in) != 6 && reader_left(in) != 8)
		return false;
	put_hex_byte(out, reader_get_u8(in));
	while (reader_left(in) > 0) {
		buffer_put_u8(out, ':');
		put_hex_byte(out, reader_get_u8(in));
	}
	return true;
}

bool
value_text_lsn(struct buffer *out, struct reader *in)
{
	char text[LSN_TEXT_BYTES];

	lsn_format(reader_get_u64(in), text);
	buffer_put(out, text, strlen(text));
	return true;
}

bool
value_text_tid(struct buffer *out, struct reader *in)
{
	uint32_t block = reader_get_u32(in);

	buffer_printf(out, "(%" PRIu32 ",%u)", block, reader_get_u16(in));
	return true;
}

/* xmin:xmax:xip,xip,… */
bool
value_text_snapshot(struct buffer *out, struct reader *in)
{
	uint32_t count = reader_get_u32(in);
	uint64_t xmin = reader_get_u64(in);

	buffer_printf(out, "%" PRIu64 ":%" PRIu64 ":", xmin, reader_get_u64(in));
	for (uint32_t i = 0; i < count && !in->failed; i++)
		buffer_printf(out, "%s%" PRIu64, i ? "," : "", reader_get_u64(in));
	return true;
}

/* ---- inet and cidr */

enum inet_family { INET_IPV4 = 2, INET_IPV6 = 3 };

#define IPV6_WORDS 8

static void
put_ipv4(struct buffer *out, const uint8_t *address)
{
	buffer_printf(out, "%u.%u.%u.%u", address[0], address[1], address[2], address[3]);
}

/* Finds the first longest run of at least two words that are 0. */
static int
find_zeros(const uint16_t words[IPV6_WORDS], int *count)
{
	int best = -1;

	*count = 1;
	for (int i = 0; i < IPV6_WORDS; i++) {
		int len = 0;

		while (i + len < IPV6_WORDS && words[i + len] == 0)
			len++;
		if (len > *count) {
			best = i;
			*count = len;
		}
		i += len;
	}
	return best;
}

/* As inet_net_ntop() of PostgreSQL: ::, and the last 32 bits as IPv4 where
 * the address is one in disguise. */
static void
put_ipv6(struct buffer *out, const uint8_t *address)
{
	uint16_t words[IPV6_WORDS];
	int zeros, zeros_count;

	for (int i = 0; i < IPV6_WORDS; i++)
		words[i] = (uint16_t) (address[2 * i] << 8 | address[2 * i + 1]);
	zeros = find_zeros(words, &zeros_count);
	for (int i = 0; i < IPV6_WORDS; i++) {
		if (i == zeros) {
			buffer_put(out, "::", 2);
			i += zeros_count - 1;
			continue;
		}
		if (i > 0 && i != zeros + zeros_count)
			buffer_put_u8(out, ':');
		if (i == 6 && zeros == 0 &&
			(zeros_count == 6 || (zeros_count == 7 && words[7] != 1) ||
			 (zeros_count == 5 && words[5] == 0xffff))) {
			put_ipv4(out, address + 12);
			return;
		}
		buffer_printf(out, "%x", words[i]);
	}
}

bool
value_text_inet(struct buffer *out, struct reader *in)
{
	uint8_t family = reader_get_u8(in);
	uint8_t bits = reader_get_u8(in);
	bool is_cidr = reader_get_u8(in) != 0;
	uint8_t len = reader_get_u8(in);
	const uint8_t *address = reader_get(in, len);

	if (!address || (family != INET_IPV4 && family != INET_IPV6) || len != (family == INET_IPV4 ? 4 : 16) ||
		bits > len * 8)
		return false;
	if (family == INET_IPV4)
		put_ipv4(out, address);
	else
		put_ipv6(out, address);
	if (is_cidr || bits != len * 8)
		buffer_printf(out, "/%u", bits);
	return true;
}
