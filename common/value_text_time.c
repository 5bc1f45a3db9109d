#include "value_text_types.h"

#include <inttypes.h>
#include <stdlib.h>

#define USECS_PER_SECOND INT64_C(1000000)
#define USECS_PER_DAY (86400 * USECS_PER_SECOND)
#define MAX_TIME USECS_PER_DAY /* 24:00:00 is a time */

static void
put(struct buffer *out, const char *text)
{
	buffer_put(out, text, strlen(text));
}

/* Writes ".5" and the like; nothing for 0. */
static void
put_fraction(struct buffer *out, uint64_t usecs)
{
	int digits = 6;

	if (usecs == 0)
		return;
	for (; usecs % 10 == 0; usecs /= 10)
		digits--;
	buffer_printf(out, ".%0*" PRIu64, digits, usecs);
}

static void
put_time(struct buffer *out, uint64_t usecs)
{
	uint64_t seconds = usecs / (uint64_t) USECS_PER_SECOND;

	buffer_printf(out, "%02" PRIu64 ":%02u:%02u", seconds / 3600, (unsigned) (seconds / 60 % 60),
				  (unsigned) (seconds % 60));
	put_fraction(out, usecs % (uint64_t) USECS_PER_SECOND);
}

/*
 * The proleptic Gregorian calendar from days since 2000-01-01.  Counted from
 * March 1 of year 0, so that the leap day is the last of its year; eras are
 * 400 years.  Years before 1 are counted from 1 BC; the caller says so.
 */
static bool
put_date(struct buffer *out, int64_t days)
{
	int64_t from_march = days + 730425;
	int64_t era = (from_march >= 0 ? from_march : from_march - 146096) / 146097;
	int64_t day_of_era = from_march - era * 146097;
	int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t march_month = (5 * day_of_year + 2) / 153;
	int64_t day = day_of_year - (153 * march_month + 2) / 5 + 1;
	int64_t month = march_month < 10 ? march_month + 3 : march_month - 9;
	int64_t year = year_of_era + era * 400 + (month <= 2);

	buffer_printf(out, "%04" PRId64 "-%02" PRId64 "-%02" PRId64, year > 0 ? year : 1 - year, month, day);
	return year <= 0;
}

bool
value_text_date(struct buffer *out, struct reader *in)
{
	int32_t days = (int32_t) reader_get_u32(in);

	if (days == INT32_MAX)
		put(out, "infinity");
	else if (days == INT32_MIN)
		put(out, "-infinity");
	else if (put_date(out, days))
		put(out, " BC");
	return true;
}

bool
value_text_time(struct buffer *out, struct reader *in)
{
	uint64_t usecs = reader_get_u64(in);

	put_time(out, usecs);
	return usecs <= (uint64_t) MAX_TIME;
}

/* ---- time zones, in seconds west of Greenwich */

static void
put_zone(struct buffer *out, int32_t west)
{
	int32_t seconds = abs(west);

	buffer_printf(out, "%c%02d", west > 0 ? '-' : '+', seconds / 3600);
	if (seconds % 3600)
		buffer_printf(out, ":%02d", seconds / 60 % 60);
	if (seconds % 60)
		buffer_printf(out, ":%02d", seconds % 60);
}

bool
value_text_timetz(struct buffer *out, struct reader *in)
{
	uint64_t usecs = reader_get_u64(in);
	int32_t west = (int32_t) reader_get_u32(in);

	if (usecs > (uint64_t) MAX_TIME || west <= -86400 || west >= 86400)
		return false;
	put_time(out, usecs);
	put_zone(out, west);
	return true;
}

static bool
put_timestamp(struct buffer *out, int64_t usecs, const char *zone)
{
	int64_t days = usecs / USECS_PER_DAY;
	int64_t rest = usecs % USECS_PER_DAY;
	bool before_christ;

	if (usecs == INT64_MAX || usecs == INT64_MIN) {
		put(out, usecs > 0 ? "infinity" : "-infinity");
		return true;
	}
	if (rest < 0) {
		rest += USECS_PER_DAY;
		days--;
	}
	before_christ = put_date(out, days);
	put(out, " ");
	put_time(out, (uint64_t) rest);
	put(out, zone);
	if (before_christ)
		put(out, " BC");
	return true;
}

bool
value_text_timestamp(struct buffer *out, struct reader *in)
{
	return put_timestamp(out, (int64_t) reader_get_u64(in), "");
}

bool
value_text_timestamptz(struct buffer *out, struct reader *in)
{
	return put_timestamp(out, (int64_t) reader_get_u64(in), "+00");
}

/* ---- interval */

/* Writes a part such as "3 days": a blank before all but the first, and a sign if it is
 * positive and follows a negative one. */
static void
put_interval_part(struct buffer *out, size_t start, bool *negative, int32_t value, const char *unit)
{
	if (value == 0)
		return;
	buffer_printf(out, "%s%s%" PRId32 " %s%s", out->len > start ? " " : "", *negative && value > 0 ? "+" : "",
				  value, unit, value == 1 ? "" : "s");
	*negative = value < 0;
}

static bool
put_infinite_interval(struct buffer *out, int64_t usecs, int32_t days, int32_t months)
{
	if (usecs == INT64_MAX && days == INT32_MAX && months == INT32_MAX)
		put(out, "infinity");
	else if (usecs == INT64_MIN && days == INT32_MIN && months == INT32_MIN)
		put(out, "-infinity");
	else
		return false;
	return true;
}

bool
value_text_interval(struct buffer *out, struct reader *in)
{
	int64_t usecs = (int64_t) reader_get_u64(in);
	int32_t days = (int32_t) reader_get_u32(in);
	int32_t months = (int32_t) reader_get_u32(in);
	size_t start = out->len;
	bool negative = false;

	if (put_infinite_interval(out, usecs, days, months))
		return true;
	put_interval_part(out, start, &negative, months / 12, "year");
	put_interval_part(out, start, &negative, months % 12, "mon");
	put_interval_part(out, start, &negative, days, "day");
	if (usecs == 0 && out->len > start)
		return true;
	if (out->len > start)
		put(out, " ");
	put(out, usecs < 0 ? "-" : negative ? "+" : "");
	put_time(out, usecs < 0 ? -(uint64_t) usecs : (uint64_t) usecs);
	return true;
}
