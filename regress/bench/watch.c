/*
 * Asks a database again and again and notes when each row was seen first.
 *
 *	watch CONNINFO MILLISECONDS ROWS SECONDS SQL
 *
 * The SQL has one parameter, $1, the first column of the last row seen, 0 at
 * first; each row that it returns is printed with the time before it, in
 * seconds since 1970.  Prints "ready" before the first time, and ends when so many
 * rows were seen; with status 1 when none came for so long.
 */
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static char output[64 << 20];

static double
now_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

static void
die(const char *what, const char *why)
{
	fprintf(stderr, "watch: %s: %s\n", what, why);
	exit(1);
}

static void
print_row(const PGresult *result, int row, double when)
{
	printf("%.6f", when);
	for (int column = 0; column < PQnfields(result); column++)
		printf("\t%s", PQgetvalue(result, row, column));
	putchar('\n');
}

/* Returns the number of rows; copies the first column of the last one to `last`. */
static int
ask(PGconn *pg, char *last, size_t last_bytes)
{
	const char *parameter = last;
	PGresult *result = PQexecPrepared(pg, "watch", 1, &parameter, NULL, NULL, 0);
	double when = now_seconds();
	int count;

	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		die("asking", PQerrorMessage(pg));
	count = PQntuples(result);
	for (int row = 0; row < count; row++)
		print_row(result, row, when);
	if (count > 0)
		snprintf(last, last_bytes, "%s", PQgetvalue(result, count - 1, 0));
	PQclear(result);
	return count;
}

int
main(int argc, char **argv)
{
	char last[64] = "0";
	PGconn *pg;
	long interval_ms;
	long left;
	double patience;
	double seen;

	if (argc != 6)
		die("usage", "watch CONNINFO MILLISECONDS ROWS SECONDS SQL");
	interval_ms = strtol(argv[2], NULL, 10);
	left = strtol(argv[3], NULL, 10);
	patience = strtod(argv[4], NULL);
	pg = PQconnectdb(argv[1]);
	if (PQstatus(pg) != CONNECTION_OK)
		die("connecting", PQerrorMessage(pg));
	PQclear(PQprepare(pg, "watch", argv[5], 0, NULL));
	/* Output is kept until the end, since the reader may read it only then, and a full pipe would block. */
	setvbuf(stdout, output, _IOFBF, sizeof output);
	puts("ready");
	fflush(stdout);
	for (seen = now_seconds(); left > 0;) {
		int count = ask(pg, last, sizeof last);

		left -= count;
		if (count > 0)
			seen = now_seconds();
		else if (now_seconds() - seen > patience)
			die("nothing to be seen any more after the row", last);
		nanosleep(&(struct timespec){.tv_sec = interval_ms / 1000, .tv_nsec = interval_ms % 1000 * 1000000},
				  NULL);
	}
	PQfinish(pg);
	return 0;
}
