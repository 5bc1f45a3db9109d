#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "dialect/dialect.h"

#define LENGTH(array) (sizeof(array) / sizeof(*(array)))

/* What a server answers to dialect_facts_sql, and which dialect that is. */
struct answer {
	const char *version;
	int server_version;
	bool policy;
	const char *gp_version;
	const char *adbpg_version;
	const struct dialect *dialect;
};

static struct dialect_facts
facts_of(const struct answer *answer)
{
	return (struct dialect_facts){
		.version = answer->version,
		.server_version = answer->server_version,
		.has_distribution_policy = answer->policy,
		.gp_version = answer->gp_version ? answer->gp_version : "",
		.adbpg_version = answer->adbpg_version ? answer->adbpg_version : "",
		.storages = "",
	};
}

static const struct answer family[] = {
	{"PostgreSQL 9.4.26 (Greenplum Database 6.24.3 build commit:25d3) on x86_64", 90426, true, "62403", NULL,
	 &dialect_greenplum6},
	{"PostgreSQL 9.4.26 (Greengage Database 6.28.1_arenadata61 build 1) on x86_64", 90426, true, "62801",
	 NULL, &dialect_greenplum6},
	{"PostgreSQL 9.4.26 (WarehousePG 6.27.1 build commit:9c2f) on x86_64", 90426, true, NULL, NULL,
	 &dialect_greenplum6},
	{"PostgreSQL 9.4.26 (SynxDB 2.72.0 build 1) on x86_64", 90426, true, "62600", NULL, &dialect_greenplum6},
	{"PostgreSQL 12.12 (Greenplum Database 7.1.0 build commit:e7c2) on x86_64", 120012, true, "70100", NULL,
	 &dialect_greenplum7},
	{"PostgreSQL 12.12 (Greengage Database 7.4.1 build dev) on x86_64", 120012, true, "70401", NULL,
	 &dialect_greenplum7},
	{"PostgreSQL 12 (MatrixDB 5.1.0-enterprise) (Greenplum Database 7.0.0+dev.17410 build commit:6f21)",
	 120000, true, "70000", NULL, &dialect_greenplum7},
	{"PostgreSQL 14.4 (Cloudberry Database 1.6.0 build dev) on x86_64-pc-linux-gnu", 140004, true, NULL, NULL,
	 &dialect_cloudberry},
	{"PostgreSQL 14.4 (Apache Cloudberry 2.0.0-incubating build 1) on aarch64", 140004, true, "140004", NULL,
	 &dialect_cloudberry},
	{"PostgreSQL 14.4 (SynxDB 4.0.0 build 1) on x86_64", 140004, true, NULL, NULL, &dialect_cloudberry},
	{"PostgreSQL 14.4 (HashData Warehouse 3.13.8 build 27594) on x86_64", 140004, true, NULL, NULL,
	 &dialect_cloudberry},
	{"PostgreSQL 9.4.24 (Greenplum Database 6.6.0 build dev) on x86_64", 90424, true, "60600", "6.6.2.1",
	 &dialect_adbpg6},
	{"PostgreSQL 12.12 (Greenplum Database 7.0.0 build dev) on x86_64", 120012, true, "70000", "7.1.1.4",
	 &dialect_adbpg7},
	{"Something else altogether", 170002, true, NULL, NULL, &dialect_cloudberry},
};

static const struct answer others[] = {
	{"PostgreSQL 15.20 (Debian 15.20-0+deb12u1) on x86_64-pc-linux-gnu, compiled by gcc 12.2.0", 150020,
	 false, NULL, NULL, &dialect_postgresql},
	{"PostgreSQL 18beta1 on aarch64-unknown-linux-gnu, compiled by clang", 180000, false, NULL, NULL,
	 &dialect_postgresql},
	{"PostgreSQL 11.2-YB-2.18.0.0-b0 on x86_64", 110002, false, NULL, NULL, NULL},
	{"PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC, Redshift 1.0.1", 80002, false, NULL, NULL,
	 NULL},
	{"CockroachDB CCL v23.1.11 (x86_64-pc-linux-gnu)", 130000, false, NULL, NULL, NULL},
	{"", 150000, false, NULL, NULL, NULL},
	/* older than what the dialects know */
	{"PostgreSQL 8.3.23 (Greenplum Database 5.28.0 build commit:1) on x86_64", 80323, true, NULL, NULL, NULL},
};

static void
test_known_by_its_name(void **state)
{
	static const char *const names[] = {"postgresql", "greenplum6", "greenplum7",
										"cloudberry", "adbpg6",		"adbpg7"};

	(void) state;
	for (size_t i = 0; i < LENGTH(names); i++)
		assert_string_equal(dialect_by_name(names[i])->name, names[i]);
	assert_null(dialect_by_name("auto"));
	assert_null(dialect_by_name("greenplum"));
	assert_null(dialect_by_name(""));
}

static void
test_told_by_what_the_server_has(void **state)
{
	(void) state;
	for (size_t i = 0; i < LENGTH(family) + LENGTH(others); i++) {
		const struct answer *answer = i < LENGTH(family) ? &family[i] : &others[i - LENGTH(family)];
		struct dialect_facts facts = facts_of(answer);
		struct error err;

		assert_ptr_equal(dialect_detect(&facts), answer->dialect);
		assert_ptr_equal(dialect_choose(&facts, "auto", &err), answer->dialect);
	}
}

static void
test_the_configuration_wins_within_the_family(void **state)
{
	static const char *const names[] = {"greenplum6", "greenplum7", "cloudberry", "adbpg6", "adbpg7"};

	(void) state;
	for (size_t i = 0; i < LENGTH(family); i++)
		for (size_t j = 0; j < LENGTH(names); j++) {
			struct dialect_facts facts = facts_of(&family[i]);
			struct error err;

			assert_string_equal(dialect_choose(&facts, names[j], &err)->name, names[j]);
		}
}

static void
test_never_postgresql_with_distribution_policies(void **state)
{
	(void) state;
	for (size_t i = 0; i < LENGTH(family); i++) {
		struct dialect_facts facts = facts_of(&family[i]);
		struct error err;

		assert_null(dialect_choose(&facts, "postgresql", &err));
		assert_non_null(strstr(err.message, "destination.dialect is \"postgresql\""));
		assert_non_null(strstr(err.message, family[i].dialect->name));
	}
}

static void
test_never_of_the_family_without_distribution_policies(void **state)
{
	(void) state;
	for (size_t i = 0; i < LENGTH(others) - 1; i++) {
		struct dialect_facts facts = facts_of(&others[i]);
		struct error err;

		assert_null(dialect_choose(&facts, "greenplum6", &err));
		assert_null(dialect_choose(&facts, "cloudberry", &err));
		/* What is not known may resemble it enough: the user decides. */
		assert_ptr_equal(dialect_choose(&facts, "postgresql", &err), &dialect_postgresql);
	}
}

static void
test_an_unknown_server_is_named(void **state)
{
	struct dialect_facts facts = facts_of(&others[4]);
	struct error err;

	(void) state;
	assert_null(dialect_choose(&facts, "auto", &err));
	assert_string_equal(err.message,
						"the destination says it is CockroachDB CCL v23.1.11 (x86_64-pc-linux-gnu), "
						"without gp_distribution_policy, which is none of the known dialects");
	assert_int_equal(err.class, ERROR_CONFIG);
}

static void
assert_described(const struct answer *answer, const char *expected)
{
	struct dialect_facts facts = facts_of(answer);
	char out[400], small[8];

	dialect_describe(&facts, out, sizeof out);
	assert_string_equal(out, expected);
	dialect_describe(&facts, small, sizeof small);
	assert_true(strlen(small) < sizeof small);
}

static void
test_what_was_found_is_said(void **state)
{
	(void) state;
	assert_described(&family[0], "PostgreSQL 9.4.26 (Greenplum Database 6.24.3), with gp_distribution_policy,"
								 " gp_server_version_num 62403");
	assert_described(&family[12], "PostgreSQL 12.12 (Greenplum Database 7.0.0), with gp_distribution_policy,"
								  " gp_server_version_num 70000, adbpg_version 7.1.1.4");
	assert_described(&others[0], "PostgreSQL 15.20 (Debian 15.20-0+deb12u1), without gp_distribution_policy");
}

static void
test_storages(void **state)
{
	(void) state;
	assert_true(dialect_storage_has_keys(TABLE_STORAGE_BEAM));
	assert_false(dialect_storage_has_keys(TABLE_STORAGE_PAX));
	assert_false(dialect_storage_has_keys(TABLE_STORAGE_AO_COLUMN));
	assert_string_equal(dialect_storage_name(TABLE_STORAGE_PAX), "pax");
	assert_false(dialect_adbpg6.has_access_methods);
	assert_true(dialect_cloudberry.has_access_methods);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_by_its_name),
		cmocka_unit_test(test_told_by_what_the_server_has),
		cmocka_unit_test(test_the_configuration_wins_within_the_family),
		cmocka_unit_test(test_never_postgresql_with_distribution_policies),
		cmocka_unit_test(test_never_of_the_family_without_distribution_policies),
		cmocka_unit_test(test_an_unknown_server_is_named),
		cmocka_unit_test(test_what_was_found_is_said),
		cmocka_unit_test(test_storages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
