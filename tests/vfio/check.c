// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One of a program's checks:
 *
 *	PROGRAM CHECK VF BAR1_MIB NUMBER [OTHER_VF]
 */
#include "check.h"

int main(int argc, char **argv)
{
	const struct check *c = checks;
	struct arguments arg;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 5)
		return 2;
	arg.vf = argv[2];
	arg.bar1_bytes = strtoull(argv[3], NULL, 0) * MIB;
	arg.number = (uint32_t)strtoul(argv[4], NULL, 0);
	arg.other = argc > 5 ? argv[5] : NULL;
	while (c->name && strcmp(c->name, argv[1]) != 0)
		c++;
	if (!c->name)
		return 2;
	c->check(&arg);
	printf("test: %s is as it is to be\n", c->name);
	return 0;
}
