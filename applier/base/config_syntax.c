#include "config_syntax.h"

#include <string.h>

#include "memory.h"

struct syntax {
	const yaml_parser_t *parser;
	const char *name;
	const char *text;
	size_t len;
	yaml_mark_t mark; /* where the library stopped */
	struct error *err;
};

static bool
fail_at(const struct syntax *s, yaml_mark_t mark, const char *message)
{
	return error_set(s->err, ERROR_CONFIG, "%s:%zu:%zu: %s", s->name, mark.line + 1, mark.column + 1,
					 message);
}

/* Where the library cannot decode characters, it counts bytes. */
static yaml_mark_t
mark_of_byte(const char *text, size_t offset)
{
	yaml_mark_t mark = {0};

	for (size_t i = 0; i < offset; i++) {
		if (text[i] == '\n') {
			mark.line++;
			mark.column = 0;
		} else if (((unsigned char) text[i] & 0xC0) != 0x80) {
			mark.column++;
		}
	}
	return mark;
}

/* Finds the character at the mark, whose index counts characters. */
static char
character_at(const struct syntax *s, yaml_mark_t mark)
{
	size_t characters = 0;

	for (size_t i = 0; i < s->len; i++) {
		if (((unsigned char) s->text[i] & 0xC0) == 0x80)
			continue;
		if (characters++ == mark.index)
			return s->text[i];
	}
	return '\0';
}

static bool
is_quoted(const yaml_token_t *token)
{
	return token->type == YAML_SCALAR_TOKEN && (token->data.scalar.style == YAML_DOUBLE_QUOTED_SCALAR_STYLE ||
												token->data.scalar.style == YAML_SINGLE_QUOTED_SCALAR_STYLE);
}

/*
 * If a closing quote is missing, the next quote, maybe lines later, ends the value, and the text after it
 * fails to parse. Finds such a value that ends in the mark's line.
 */
static bool
find_long_quote(const struct syntax *s, yaml_mark_t *begin)
{
	yaml_parser_t scanner;
	bool found = false, more = true;

	if (!yaml_parser_initialize(&scanner))
		memory_exhausted(sizeof scanner);
	yaml_parser_set_input_string(&scanner, (const unsigned char *) s->text, s->len);
	while (more) {
		yaml_token_t token;

		if (!yaml_parser_scan(&scanner, &token))
			break;
		more = token.type != YAML_STREAM_END_TOKEN && token.start_mark.index < s->mark.index;
		if (more && is_quoted(&token) && token.end_mark.line > token.start_mark.line) {
			*begin = token.start_mark;
			found = token.end_mark.line == s->mark.line;
		}
		yaml_token_delete(&token);
	}
	yaml_parser_delete(&scanner);
	return found;
}

static bool
explain_quote(const struct syntax *s, yaml_mark_t begin)
{
	fail_at(s, begin, "the quote that begins here does not end in its line");
	return error_hint(s->err, "Close it there; a quote within the value is doubled ('') or escaped (\\\").");
}

bool
config_syntax_explain(const yaml_parser_t *parser, const char *name, const char *text, size_t len,
					  struct error *err)
{
	struct syntax s = {parser, name, text, len, parser->problem_mark, err};
	const char *context = parser->context ? parser->context : "";
	yaml_mark_t begin;

	if (parser->error == YAML_MEMORY_ERROR)
		memory_exhausted(len);
	if (parser->error == YAML_READER_ERROR)
		s.mark = mark_of_byte(text, parser->problem_offset < len ? parser->problem_offset : len);
	else if (strstr(context, "quoted scalar"))
		return explain_quote(&s, parser->context_mark);
	else if (find_long_quote(&s, &begin))
		return explain_quote(&s, begin);
	else if (strstr(context, "alias")) {
		fail_at(&s, parser->context_mark, "a value that begins with * must be in quotes");
		return error_hint(err, "Write \"*.*\" for all tables; without quotes YAML takes * for an alias.");
	} else if (parser->error == YAML_SCANNER_ERROR && character_at(&s, s.mark) == '\t') {
		fail_at(&s, s.mark, "a tab where YAML allows only blanks");
		return error_hint(err, "Indent with blanks.");
	}
	if (*context)
		return error_set(err, ERROR_CONFIG, "%s:%zu:%zu: %s: %s", name, s.mark.line + 1, s.mark.column + 1,
						 context, parser->problem);
	return fail_at(&s, s.mark, parser->problem);
}
