/*
 * Every allocation fails once.  In common/, what asks for memory says so, frees
 * what it had, and touches nothing it did not get.  In applier/, the process
 * ends, and no statement was cut short.  The linker sends malloc, calloc and
 * realloc here (--wrap).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/sql.h"
#include "common/pattern.h"
#include "common/render.h"
#include "copy/copy_statements.h"
#include "feed.h"
#include "merge/merge_plan.h"
#include "sample.h"
#include "state/state_tables.h"

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *old, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *old, size_t bytes);

/* How many allocations succeed before one fails; negative: all. */
static long allowed = -1;

static bool
is_refused(void)
{
	return allowed >= 0 && allowed-- == 0;
}

void *
__wrap_malloc(size_t bytes)
{
	return is_refused() ? NULL : __real_malloc(bytes);
}

void *
__wrap_calloc(size_t count, size_t bytes)
{
	return is_refused() ? NULL : __real_calloc(count, bytes);
}

void *
__wrap_realloc(void *old, size_t bytes)
{
	return is_refused() ? NULL : __real_realloc(old, bytes);
}

/* Does its work and frees it; false when memory was short. */
typedef bool (*scenario)(void);

static void
check_scenario(scenario run)
{
	long n = 0;
	bool refused;

	do {
		bool ok;

		allowed = n++;
		ok = run();
		refused = allowed < 0;
		allowed = -1;
		assert_int_equal(ok, !refused);
	} while (refused);
	assert_true(n > 2);
}

static struct buffer stream;

static bool
decode_stream(void)
{
	struct change_decoder d;
	struct change change;
	struct reader r;
	bool ok = true;

	if (!change_decoder_init(&d))
		return false;
	reader_init(&r, stream.data, stream.len);
	while (ok && reader_left(&r) > 0)
		ok = change_decode(&d, &r, &change);
	if (!ok)
		assert_string_equal(d.problem, "out of memory");
	change_decoder_fini(&d);
	return ok;
}

static void
test_decoding(void **state)
{
	(void) state;
	check_scenario(decode_stream);
}

/* With a decoder whose own allocations are not what is tested. */
static struct change_decoder *decoder;

static bool
render_stream(void)
{
	struct change change;
	struct buffer out;
	struct reader r;
	bool ok;

	buffer_init(&out, 1 << 20, NULL, NULL);
	reader_init(&r, stream.data, stream.len);
	for (unsigned i = 0; i < 5; i++) {
		long saved = allowed;

		allowed = -1;
		assert_true(change_decode(decoder, &r, &change));
		allowed = saved;
		render_change(&out, decoder, &change);
	}
	ok = !out.failed;
	buffer_fini(&out);
	return ok;
}

static void
test_rendering(void **state)
{
	struct change_decoder d;

	(void) state;
	assert_true(change_decoder_init(&d));
	decoder = &d;
	check_scenario(render_stream);
	change_decoder_fini(&d);
}

static bool
encode_stream(void)
{
	struct change_base base = {0};
	struct buffer out;
	bool ok;

	buffer_init(&out, 1 << 20, NULL, NULL);
	for (const struct sample *s = samples; s->name; s++)
		s->put(&out, &base);
	ok = !out.failed;
	buffer_fini(&out);
	return ok;
}

static void
test_encoding(void **state)
{
	(void) state;
	check_scenario(encode_stream);
}

static bool
read_patterns(void)
{
	struct pattern_list list = {0};
	const char *problem = pattern_list_add_all(&list, "public.orders, sales.\"Order\", x.tmp_*");

	if (!problem)
		problem = pattern_list_add(&list, "\"a\".b");
	if (problem)
		assert_string_equal(problem, "out of memory");
	else
		assert_int_equal(list.count, 4);
	pattern_list_free(&list);
	return !problem;
}

static void
test_patterns(void **state)
{
	(void) state;
	check_scenario(read_patterns);
}

/* ---- what ends the process: in a child, which sends what it wrote */

struct ending {
	int status;
	char said[1 << 16];
};

/* `write_all` writes to standard output; a child that ends by itself does so with 0. */
static void
run_in_child(void (*write_all)(void), long refuse_at, struct ending *ending)
{
	size_t len = 0;
	ssize_t got;
	int fds[2];
	pid_t child;

	assert_int_equal(pipe(fds), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		dup2(fds[1], STDOUT_FILENO);
		dup2(fds[1], STDERR_FILENO);
		allowed = refuse_at;
		write_all();
		_exit(allowed >= 0 || refuse_at < 0 ? 0 : 99);
	}
	close(fds[1]);
	while ((got = read(fds[0], ending->said + len, sizeof ending->said - 1 - len)) > 0)
		len += (size_t) got;
	close(fds[0]);
	ending->said[len] = '\0';
	assert_int_equal(waitpid(child, &ending->status, 0), child);
}

static void
assert_ended_for_want_of_memory(const struct ending *ending)
{
	assert_true(WIFEXITED(ending->status));
	assert_int_equal(WEXITSTATUS(ending->status), 1);
	assert_non_null(strstr(ending->said, "error   out of memory: "));
}

/* Either everything is written, or nothing but the reason. */
static void
check_ending(void (*write_all)(void))
{
	static struct ending whole, ending;
	long n = 0;

	run_in_child(write_all, -1, &whole);
	assert_true(WIFEXITED(whole.status) && WEXITSTATUS(whole.status) == 0);
	assert_true(strlen(whole.said) > 0);
	for (;;) {
		run_in_child(write_all, n, &ending);
		if (WIFEXITED(ending.status) && WEXITSTATUS(ending.status) == 0)
			break;
		assert_ended_for_want_of_memory(&ending);
		assert_null(strstr(ending.said, "UPDATE"));
		n++;
	}
	assert_string_equal(ending.said, whole.said);
	assert_true(n > 2);
}

static void
write_out(const char *text)
{
	assert_int_equal(write(STDOUT_FILENO, text, strlen(text)), (ssize_t) strlen(text));
}

static const struct sketch_column columns[] = {
	{"id", &sketch_int4, SKETCH_KEY | SKETCH_DISTRIBUTES},
	{"a column with a name that fills its buffer soon", &sketch_text, 0},
	{"another of the kind, so that there are many bytes", &sketch_numeric, 0},
};

static void
write_statements(void)
{
	static struct sketch sketch;
	struct buffer sql;

	sketch_init(&sketch, "public", "t", 'd', false, columns, 3);
	sketch.table.state = TABLE_HELD;
	sketch.table.error = memory_printf("%0300d", 1);
	sql_init(&sql);
	state_tables_put_state(&sql, "task", &sketch.table);
	buffer_put_u8(&sql, '\n');
	copy_put_out(&sql, &sketch.table, NULL);
	buffer_put_u8(&sql, '\n');
	copy_put_in(&sql, &sketch.table);
	buffer_put_u8(&sql, '\0');
	write_out((const char *) sql.data); /* as those do who do not ask whether it failed */
	free(sketch.table.error);
	buffer_fini(&sql);
}

static void
test_statements(void **state)
{
	(void) state;
	check_ending(write_statements);
}

static void
write_merge_plan(void)
{
	static struct feed f;
	struct staging staging = {0};
	struct merge_plan plan;
	long saved = allowed;
	char id[16];

	allowed = -1; /* how the changes came in is not what is tested */
	feed_init(&f, 'd', false, columns, 3);
	assert_true(feed_open(&f, false));
	for (int i = 0; i < 2000; i++) {
		snprintf(id, sizeof id, "%d", i);
		assert_true(feed_update(&f, CHANGE_OLD_SAME, NULL, ROW(id, "x", feed_unchanged)));
	}
	allowed = saved;
	if (!merge_plan_build(&plan, &f.net, dialect_by_name("postgresql"), MERGE_FAST, &staging, &f.arena,
						  &f.err))
		_exit(98);
	for (unsigned phase = 0; phase < MERGE_PHASES; phase++)
		for (struct merge_step *step = plan.phases[phase].first; step; step = step->next)
			write_out(step->sql);
	feed_close(&f);
}

static void
test_merge_plan(void **state)
{
	(void) state;
	check_ending(write_merge_plan);
}

/* However a buffer came to lack something, it does not become a statement. */
static void
write_cut_statement(void)
{
	struct buffer sql;

	buffer_init(&sql, 8, NULL, NULL);
	buffer_printf(&sql, "UPDATE t SET a = 1");
	buffer_printf(&sql, " WHERE");
	write_out(sql_text(&sql));
}

static void
test_a_failed_buffer_is_no_statement(void **state)
{
	static struct ending ending;

	(void) state;
	run_in_child(write_cut_statement, -1, &ending);
	assert_ended_for_want_of_memory(&ending);
	assert_null(strstr(ending.said, "UPDATE"));
}

static int
setup(void **state)
{
	(void) state;
	buffer_init(&stream, 1 << 20, NULL, NULL);
	sample_put_all(&stream);
	return 0;
}

static int
teardown(void **state)
{
	(void) state;
	buffer_fini(&stream);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decoding),
		cmocka_unit_test(test_rendering),
		cmocka_unit_test(test_encoding),
		cmocka_unit_test(test_patterns),
		cmocka_unit_test(test_statements),
		cmocka_unit_test(test_merge_plan),
		cmocka_unit_test(test_a_failed_buffer_is_no_statement),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
