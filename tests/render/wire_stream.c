/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs whole streams of commands, as fuzz/seeds.py cuts them, on no driver. */
#include "tests/render/context.h"

#include <stdio.h>
#include <stdlib.h>

/* Says how far it came. Seeds begin with an odd byte that is no command. */
static bool run_file(const char *path)
{
	static uint8_t data[CONTEXT_STREAM_BYTES + 1];
	FILE *file = fopen(path, "rb");
	size_t bytes = file ? fread(data, 1, sizeof(data), file) : 0;
	uint32_t n;

	if (file)
		fclose(file);
	if (bytes < 1 || !(data[0] & 1)) {
		printf("%s: no seed\n", path);
		return false;
	}
	context_restart();
	n = context_run(data + 1, bytes - 1);
	printf("%s: %u commands%s%s%s%s\n", path, n,
	       context.d.fatal ? ", then " : "",
	       context.d.fatal ? vgpu_venus_command_name(context.d.command) : "",
	       context.d.fatal ? ": " : "",
	       context.d.fatal ? context.d.fatal : "");
	return !context.d.fatal;
}

int main(int argc, char **argv)
{
	bool is_good = argc > 1;

	context_init();
	context.is_any = true;
	for (int i = 1; i < argc; i++)
		is_good = run_file(argv[i]) && is_good;
	context_finish();
	return is_good ? EXIT_SUCCESS : EXIT_FAILURE;
}
