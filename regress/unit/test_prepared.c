/* Which prepared statements a session keeps, and when the others are to be deallocated. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "io/connection_parts.h"

#define USES 1000

static const char *
name_of(unsigned number)
{
	static char name[32];

	snprintf(name, sizeof name, "sluice_update_%u", number);
	return name;
}

/* As a connection does it. */
static void
execute(struct prepared *p, unsigned number)
{
	if (!prepared_has(p, name_of(number)))
		prepared_add(p, name_of(number));
	prepared_note_use(p, name_of(number));
}

static unsigned
take_all(struct prepared *p)
{
	unsigned taken = 0;

	while (prepared_take_unused(p, USES))
		taken++;
	return taken;
}

static void
test_what_is_used_is_kept(void **state)
{
	struct prepared p;

	(void) state;
	prepared_init(&p);
	assert_null(prepared_take_unused(&p, USES));
	/* Many tables in turns: all of them are in use. */
	for (unsigned i = 0; i < 200000; i++) {
		execute(&p, i % 450);
		assert_null(prepared_take_unused(&p, USES));
	}
	assert_int_equal(p.count, 450);
	prepared_fini(&p);
}

static void
test_what_is_not_used_goes(void **state)
{
	struct prepared p;

	(void) state;
	prepared_init(&p);
	for (unsigned i = 0; i < 10; i++)
		execute(&p, i);
	for (unsigned i = 0; i < 1500; i++)
		execute(&p, 7);
	assert_int_equal(take_all(&p), 9);
	assert_int_equal(p.count, 1);
	assert_true(prepared_has(&p, name_of(7)));
	assert_false(prepared_has(&p, name_of(3)));
	/* It comes again, as a statement that has to be prepared. */
	execute(&p, 3);
	assert_true(prepared_has(&p, name_of(3)));
	assert_int_equal(p.count, 2);
	assert_null(prepared_take_unused(&p, USES));
	prepared_fini(&p);
}

/* A table whose definition changes all the time: neither statements nor their names are collected. */
static void
test_it_does_not_grow(void **state)
{
	struct prepared p;
	unsigned most = 0;

	(void) state;
	prepared_init(&p);
	for (unsigned version = 0; version < 20000; version++) {
		for (unsigned i = 0; i < 20; i++) {
			execute(&p, version);
			execute(&p, 1000000 + i);
		}
		take_all(&p);
		most = p.count > most ? p.count : most;
	}
	assert_in_range(most, 21, 100);
	assert_in_range(keymap_count(&p.names), 21, 200);
	assert_in_range(arena_bytes(&p.memory), 1, 32768);
	prepared_fini(&p);
}

static void
test_forgotten_ones_are_not_taken(void **state)
{
	struct prepared p;

	(void) state;
	prepared_init(&p);
	execute(&p, 1);
	prepared_forget(&p, name_of(1));
	prepared_forget(&p, name_of(1));
	assert_int_equal(p.count, 0);
	for (unsigned i = 0; i < 3000; i++)
		execute(&p, 2);
	assert_int_equal(take_all(&p), 0);
	prepared_fini(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_used_is_kept),
		cmocka_unit_test(test_what_is_not_used_goes),
		cmocka_unit_test(test_it_does_not_grow),
		cmocka_unit_test(test_forgotten_ones_are_not_taken),
	};

	return cmocka_run_group_tests_name("prepared", tests, NULL, NULL);
}
