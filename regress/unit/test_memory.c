/*
 * Every allocation of common/ fails once: what asks for memory says so, frees
 * what it had, and touches nothing it did not get.  The linker sends malloc,
 * calloc and realloc here (--wrap).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/pattern.h"
#include "common/render.h"
#include "sample.h"

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
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
