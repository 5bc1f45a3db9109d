#include "value_text_types.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

bool
value_text_bool(struct buffer *out, struct reader *in)
{
	uint8_t value = reader_get_u8(in);

	buffer_put_u8(out, value ? 't' : 'f');
	return value <= 1;
}

bool
value_text_int2(struct buffer *out, struct reader *in)
{
	buffer_printf(out, "%d", (int16_t) reader_get_u16(in));
	return true;
}

bool
value_text_int4(struct buffer *out, struct reader *in)
{
	buffer_printf(out, "%" PRId32, (int32_t) reader_get_u32(in));
	return true;
}

bool
value_text_int8(struct buffer *out, struct reader *in)
{
	buffer_printf(out, "%" PRId64, (int64_t) reader_get_u64(in));
	return true;
}

bool
value_text_oid(struct buffer *out, struct reader *in)
{
	buffer_printf(out, "%" PRIu32, reader_get_u32(in));
	return true;
}

bool
value_text_xid8(struct buffer *out, struct reader *in)
{
	buffer_printf(out, "%" PRIu64, reader_get_u64(in));
	return true;
}

/* ---- floating point: the fewest digits that read back as the same number */

/* What distinguishes the two types. */
struct float_format {
	int safe_digits;	 /* a decimal with this many digits is never changed by the type */
	int max_digits;		 /* this many digits always suffice */
	int mantissa_bits;	 /* including the hidden one */
	double least_normal; /* smaller numbers are denormal, with less precision */
	bool single;
};

static const struct float_format float4_format = {FLT_DIG, 9, FLT_MANT_DIG, FLT_MIN, true};
static const struct float_format float8_format = {DBL_DIG, 17, DBL_MANT_DIG, DBL_MIN, false};

/* digits × 10^exponent */
struct decimal {
	uint64_t digits;
	int exponent;
};

static double
nearest(const struct float_format *format, const char *text)
{
	return format->single ? (double) strtof(text, NULL) : strtod(text, NULL);
}

/* The correctly rounded decimal of `count` digits.  The character behind the
 * first digit is the locale's, hence skipped. */
static struct decimal
round_to_digits(double value, int count)
{
	char text[40];
	struct decimal result = {0, 0};
	const char *at = text;

	snprintf(text, sizeof text, "%.*e", count - 1, value);
	for (; *at && *at != 'e'; at++)
		if (*at >= '0' && *at <= '9')
			result.digits = result.digits * 10 + (uint64_t) (*at - '0');
	result.exponent = atoi(at + 1) - (count - 1);
	return result;
}

static int
take_factors(uint64_t *number, unsigned factor)
{
	int count = 0;

	while (*number && *number % factor == 0) {
		*number /= factor;
		count++;
	}
	return count;
}

/*
 * Whether the decimal lies exactly half-way between two neighbouring numbers.
 * PostgreSQL does not write such decimals, although a reader that rounds to even would
 * read them back.  A half-way number is an odd number with one bit more than the mantissa,
 * times a power of two; so the odd part of the decimal is compared with that.
 */
static bool
is_half_way(const struct float_format *format, double value, struct decimal decimal)
{
	uint64_t odd = decimal.digits;
	int twos = take_factors(&odd, 2) + decimal.exponent;
	int exponent, unit;
	bool power_of_two;

	for (int i = 0; i < decimal.exponent; i++) {
		if (odd > UINT64_MAX / 5)
			return false;
		odd *= 5;
	}
	for (int i = 0; i > decimal.exponent; i--) {
		if (odd % 5)
			return false;
		odd /= 5;
	}
	/* The last mantissa bit has the value 2^unit; just below a power of two, half of that. */
	power_of_two = frexp(value, &exponent) == 0.5;
	unit = exponent - format->mantissa_bits;
	return (twos == unit - 1 || (power_of_two && twos == unit - 2)) &&
		   odd >> (format->mantissa_bits + 1) == 0;
}

static bool
reads_back(const struct float_format *format, double value, struct decimal decimal)
{
	char text[40];

	snprintf(text, sizeof text, "%" PRIu64 "e%d", decimal.digits, decimal.exponent);
	return nearest(format, text) == value && !is_half_way(format, value, decimal);
}

static struct decimal
shortest(const struct float_format *format, double value)
{
	int count = value < format->least_normal ? 1 : format->safe_digits;
	struct decimal result = round_to_digits(value, count);

	while (!reads_back(format, value, result) && count < format->max_digits) {
		/* Above a power of two the next number is farther away than below, so the next larger decimal may
		 * read back as the number although the nearest one does not. */
		struct decimal above = {result.digits + 1, result.exponent};

		if (count > 1 && reads_back(format, value, above)) {
			result = above;
			break;
		}
		result = round_to_digits(value, ++count);
	}
	result.exponent += take_factors(&result.digits, 10);
	return result;
}

static void
put_fixed(struct buffer *out, const char *digits, int count, int point)
{
	if (point <= 0) {
		buffer_printf(out, "0.%.*s%s", -point, "0000", digits);
	} else if (point >= count) {
		buffer_put(out, digits, (size_t) count);
		for (int i = count; i < point; i++)
			buffer_put_u8(out, '0');
	} else {
		buffer_printf(out, "%.*s.%s", point, digits, digits + point);
	}
}

static void
put_float(struct buffer *out, const struct float_format *format, double value)
{
	struct decimal decimal;
	char digits[24];
	int count, exponent;

	if (isnan(value)) {
		buffer_put(out, "NaN", 3);
		return;
	}
	if (signbit(value))
		buffer_put_u8(out, '-');
	if (isinf(value)) {
		buffer_put(out, "Infinity", 8);
		return;
	}
	if (value == 0) {
		buffer_put_u8(out, '0');
		return;
	}
	decimal = shortest(format, fabs(value));
	count = snprintf(digits, sizeof digits, "%" PRIu64, decimal.digits);
	exponent = decimal.exponent + count - 1;
	/* Chooses the notation as %g with the safe digits would. */
	if (exponent >= -4 && exponent < format->safe_digits)
		put_fixed(out, digits, count, exponent + 1);
	else
		buffer_printf(out, "%c%s%se%c%02d", digits[0], count > 1 ? "." : "", digits + 1,
					  exponent < 0 ? '-' : '+', abs(exponent));
}

bool
value_text_float4(struct buffer *out, struct reader *in)
{
	uint32_t bits = reader_get_u32(in);
	float value;

	memcpy(&value, &bits, sizeof value);
	put_float(out, &float4_format, (double) value);
	return true;
}

bool
value_text_float8(struct buffer *out, struct reader *in)
{
	uint64_t bits = reader_get_u64(in);
	double value;

	memcpy(&value, &bits, sizeof value);
	put_float(out, &float8_format, value);
	return true;
}

/* ---- numeric: groups of four decimal digits */

#define NUMERIC_GROUP_DIGITS 4
#define NUMERIC_MAX_SCALE 16383

enum numeric_sign {
	NUMERIC_POSITIVE = 0x0000,
	NUMERIC_NEGATIVE = 0x4000,
	NUMERIC_NAN = 0xC000,
	NUMERIC_INFINITY = 0xD000,
	NUMERIC_MINUS_INFINITY = 0xF000,
};

struct numeric {
	int group_count;
	int weight; /* of the first group, in powers of 10000 */
	unsigned sign;
	int scale; /* digits to show behind the point */
	struct reader groups;
};

static bool
put_special_numeric(struct buffer *out, unsigned sign)
{
	switch (sign) {
	case NUMERIC_NAN:
		buffer_put(out, "NaN", 3);
		return true;
	case NUMERIC_INFINITY:
		buffer_put(out, "Infinity", 8);
		return true;
	case NUMERIC_MINUS_INFINITY:
		buffer_put(out, "-Infinity", 9);
		return true;
	}
	return false;
}

/* The group of the given weight; 0 for groups that were not sent. */
static unsigned
numeric_group(const struct numeric *n, int weight)
{
	struct reader at = n->groups;
	int index = n->weight - weight;

	if (index < 0 || index >= n->group_count)
		return 0;
	at.pos += (size_t) index * 2;
	return reader_get_u16(&at);
}

static void
put_numeric(struct buffer *out, const struct numeric *n)
{
	char digits[8];
	int left = n->scale;

	if (n->sign == NUMERIC_NEGATIVE)
		buffer_put_u8(out, '-');
	if (n->weight < 0)
		buffer_put_u8(out, '0');
	for (int weight = n->weight; weight >= 0; weight--)
		buffer_printf(out, weight == n->weight ? "%u" : "%04u", numeric_group(n, weight));
	if (left > 0)
		buffer_put_u8(out, '.');
	for (int weight = -1; left > 0; weight--, left -= NUMERIC_GROUP_DIGITS) {
		snprintf(digits, sizeof digits, "%04u", numeric_group(n, weight));
		buffer_put(out, digits, left < NUMERIC_GROUP_DIGITS ? (size_t) left : NUMERIC_GROUP_DIGITS);
	}
}

bool
value_text_numeric(struct buffer *out, struct reader *in)
{
	struct numeric n;

	n.group_count = reader_get_u16(in);
	n.weight = (int16_t) reader_get_u16(in);
	n.sign = reader_get_u16(in);
	n.scale = reader_get_u16(in);
	n.groups = *in;
	for (int i = 0; i < n.group_count && !in->failed; i++)
		if (reader_get_u16(in) >= 10000)
			return false;
	if (in->failed || n.scale > NUMERIC_MAX_SCALE)
		return false;
	if (n.sign != NUMERIC_POSITIVE && n.sign != NUMERIC_NEGATIVE)
		return put_special_numeric(out, n.sign);
	put_numeric(out, &n);
	return true;
}

/* ---- money: in units of a hundredth, as the C locale shows it */

bool
value_text_money(struct buffer *out, struct reader *in)
{
	int64_t value = (int64_t) reader_get_u64(in);
	uint64_t amount = value < 0 ? -(uint64_t) value : (uint64_t) value;
	char whole[24];
	int count = snprintf(whole, sizeof whole, "%" PRIu64, amount / 100);

	buffer_printf(out, "%s$", value < 0 ? "-" : "");
	for (int i = 0; i < count; i++) {
		if (i > 0 && (count - i) % 3 == 0)
			buffer_put_u8(out, ',');
		buffer_put_u8(out, (uint8_t) whole[i]);
	}
	buffer_printf(out, ".%02u", (unsigned) (amount % 100));
	return true;
}
