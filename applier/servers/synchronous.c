#include "synchronous.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"

/*
 * A longer word counts as unreadable. The server does not truncate words here; application_name has at
 * most 63 bytes.
 */
#define WORD_BYTES 256

enum kind { END, WORD, BAD, COMMA, OPENING, CLOSING };

struct words {
	const char *at;
	enum kind kind; /* of the current word */
	bool quoted;
	char text[WORD_BYTES];
};

/* What has been read of the setting so far. */
struct reading {
	const char *name;
	const char *const *others;
	unsigned other_count;
	bool *counted; /* by other: already counted in `before` */
	bool any;	   /* ANY n: all names in the list have the same priority */
	unsigned long needed;
	bool meant;		 /* the list includes us */
	unsigned before; /* others with priority over us; with ANY, all others in the list */
};

/* ---- words */

static bool
is_space(char c)
{
	return c && strchr(" \t\n\r\f\v", c);
}

static bool
is_word_character(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
		   c == '$' || (unsigned char) c >= 0x80;
}

static bool
take(struct words *w, size_t *len, char c)
{
	if (*len + 1 >= sizeof w->text)
		return false;
	w->text[(*len)++] = c;
	w->text[*len] = '\0';
	return true;
}

static enum kind
read_quoted(struct words *w)
{
	size_t len = 0;

	w->quoted = true;
	for (w->at++; *w->at; w->at++) {
		if (*w->at == '"' && w->at[1] != '"') {
			w->at++;
			return WORD;
		}
		w->at += *w->at == '"';
		if (!take(w, &len, *w->at))
			return BAD;
	}
	return BAD;
}

static enum kind
read_plain(struct words *w)
{
	size_t len = 0;

	if (*w->at == '*')
		return take(w, &len, *w->at++) ? WORD : BAD;
	while (is_word_character(*w->at))
		if (!take(w, &len, *w->at++))
			return BAD;
	return len > 0 ? WORD : BAD;
}

static void
next(struct words *w)
{
	static const char signs[] = ",()";
	const char *sign;

	while (is_space(*w->at))
		w->at++;
	w->quoted = false;
	w->text[0] = '\0';
	sign = *w->at ? strchr(signs, *w->at) : NULL;
	if (!*w->at)
		w->kind = END;
	else if (!sign)
		w->kind = *w->at == '"' ? read_quoted(w) : read_plain(w);
	else
		w->kind = (enum kind)(COMMA + (sign - signs));
	w->at += sign != NULL;
}

static bool
is_keyword(const struct words *w, const char *keyword)
{
	return w->kind == WORD && !w->quoted && strcasecmp(w->text, keyword) == 0;
}

static bool
is_number(const struct words *w)
{
	return w->kind == WORD && !w->quoted && w->text[strspn(w->text, "0123456789")] == '\0';
}

/* ---- the setting */

static bool
entry_matches(const char *entry, const char *name)
{
	return strcmp(entry, "*") == 0 || strcasecmp(entry, name) == 0;
}

/*
 * Takes one entry of the list. Others that match the same entry as we do are not counted, since the server
 * may choose us instead; nor are others with our name.
 */
static void
take_entry(struct reading *r, const char *entry)
{
	bool us = entry_matches(entry, r->name);

	if (us && !r->any)
		r->meant = true;
	if (r->meant && !r->any)
		return;
	r->meant |= us;
	for (unsigned i = 0; i < r->other_count; i++) {
		if (r->counted[i] || strcasecmp(r->others[i], r->name) == 0 || !entry_matches(entry, r->others[i]))
			continue;
		r->counted[i] = true;
		r->before++;
	}
}

static bool
read_list(struct reading *r, struct words *w)
{
	for (;; next(w)) {
		if (w->kind != WORD)
			return false;
		take_entry(r, w->text);
		next(w);
		if (w->kind != COMMA)
			return true;
	}
}

/* Reads "n (list)"; the current word is n. */
static bool
read_counted(struct reading *r, struct words *w)
{
	if (!is_number(w))
		return false;
	r->needed = strtoul(w->text, NULL, 10);
	next(w);
	if (w->kind != OPENING)
		return false;
	next(w);
	if (!read_list(r, w) || w->kind != CLOSING)
		return false;
	next(w);
	return w->kind == END;
}

static bool
is_counted(struct words w)
{
	if (!is_number(&w))
		return false;
	next(&w);
	return w.kind == OPENING;
}

static bool
read_setting(struct reading *r, const char *setting)
{
	struct words w = {.at = setting};

	next(&w);
	if (w.kind == END)
		return true;
	r->any = is_keyword(&w, "any");
	if (r->any || is_keyword(&w, "first")) {
		next(&w);
		return read_counted(r, &w);
	}
	if (is_counted(w))
		return read_counted(r, &w);
	r->needed = 1;
	return read_list(r, &w) && w.kind == END;
}

enum synchronous
synchronous_judge(const char *setting, const char *name, const char *const *others, unsigned other_count)
{
	struct reading r = {.name = name, .others = others, .other_count = other_count};
	bool read;

	r.counted = memory_alloc_zero(other_count + 1, sizeof *r.counted);
	read = read_setting(&r, setting);
	free(r.counted);
	if (!read)
		return SYNCHRONOUS_UNREADABLE;
	if (!r.meant)
		return SYNCHRONOUS_NOT;
	return r.before >= r.needed ? SYNCHRONOUS_POSSIBLE : SYNCHRONOUS_AWAITED;
}
